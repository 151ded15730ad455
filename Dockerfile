# syntax=docker/dockerfile:1

FROM python:3.13-slim AS dependencies
WORKDIR /src
RUN python -m venv --without-pip /opt/relay
# A layer of their own, made anew only when pyproject.toml changes.
COPY pyproject.toml README.md LICENSE ./
COPY relay/__init__.py relay/__init__.py
# The SDK describes some 400 services; the relay asks those that stay, for credentials too.
RUN mkdir share \
    && pip --python /opt/relay/bin/python install --no-cache-dir --disable-pip-version-check '.[css,mjml]' \
    && pip --python /opt/relay/bin/python uninstall --yes ses-relay \
    && cd /opt/relay/lib/python3.13/site-packages/botocore/data \
    && find . -mindepth 1 -maxdepth 1 -type d \
        ! -name sesv2 ! -name sqs ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin \
        -exec rm -r {} + \
    && /opt/relay/bin/python -m compileall -q /opt/relay/lib

FROM dependencies AS code
COPY relay relay
COPY share share
RUN pip --python /opt/relay/bin/python install --no-cache-dir --disable-pip-version-check --no-deps --root /made . \
    && /opt/relay/bin/python -m compileall -q -s /made /made

FROM python:3.13-slim
COPY --from=dependencies /opt/relay /opt/relay
COPY --from=code /made/opt/relay /opt/relay
COPY deploy/image /usr/share/ses-relay
RUN groupadd --system --gid 10025 relay \
    && useradd --system --uid 10025 --gid 10025 --no-create-home --home-dir /nonexistent relay \
    && install -d -o relay -g root -m 0770 /var/spool/relay \
    && install -d /etc/ses-relay
# Nothing but the spool is written, so the root may be read-only. Its directory is the
# group's too, because OpenShift runs images as any user of the group root. The heap's
# thresholds keep glibc from giving memory back, and faulting it in again, for every large mail.
# What the image says by itself stands in /usr/share/ses-relay, and is weaker than settings.
ENV PATH=/opt/relay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_TRIM_THRESHOLD_=67108864 \
    MALLOC_MMAP_THRESHOLD_=67108864 \
    RELAY_DEFAULTS=/usr/share/ses-relay
LABEL org.opencontainers.image.title="ses-relay" \
    org.opencontainers.image.description="A direct, SMTP-compatible relay to Amazon SES with usage templates" \
    org.opencontainers.image.licenses="Apache-2.0 AND ISC AND MIT"
USER 10025
# Where a config.toml is mounted; it is read if it is there.
WORKDIR /etc/ses-relay
VOLUME /var/spool/relay
EXPOSE 1025 8025 8026
# Where the image has it listen, which costs least; else where the settings say.
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 \
    CMD relay ready --url http://127.0.0.1:8026/readyz 2>/dev/null || exec relay ready
STOPSIGNAL SIGTERM
# As a list: the relay itself is process 1 and gets the signals.
ENTRYPOINT ["relay"]
CMD ["serve"]
