# syntax=docker/dockerfile:1

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/relay
# The dependencies are a layer of their own, made anew only when pyproject.toml changes.
COPY pyproject.toml README.md LICENSE ./
COPY relay/__init__.py relay/__init__.py
RUN /opt/relay/bin/pip install --no-cache-dir --disable-pip-version-check .
COPY relay relay
RUN /opt/relay/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --force-reinstall . \
    && /opt/relay/bin/pip uninstall --yes pip \
    && /opt/relay/bin/python -m compileall -q /opt/relay/lib

FROM python:3.13-slim
COPY --from=build /opt/relay /opt/relay
RUN useradd --system --uid 10025 --no-create-home --home-dir /nonexistent relay \
    && install -d -o relay -g root -m 0770 /var/spool/relay \
    && install -d /etc/ses-relay
# Nothing but the spool is written, so the root may be read-only. Its directory is the
# group's too, because OpenShift runs images as any user of the group root. The heap's
# thresholds keep glibc from giving memory back, and faulting it in again, for every large mail.
ENV PATH=/opt/relay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_TRIM_THRESHOLD_=67108864 \
    MALLOC_MMAP_THRESHOLD_=67108864 \
    RELAY_HEALTH__LISTEN=0.0.0.0:8026 \
    RELAY_QUEUE__PATH=/var/spool/relay/relay-spool.db
USER 10025
WORKDIR /var/spool/relay
VOLUME /var/spool/relay
EXPOSE 1025 8026
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 CMD ["relay", "ready"]
STOPSIGNAL SIGTERM
# As a list: the relay itself is process 1 and gets the signals.
ENTRYPOINT ["relay"]
CMD ["serve"]
