"""What EHLO offers (RFC 5321 section 4.1.1.1); each is kept to where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from relay.smtp.doorkeeper import Limits
from relay.smtp.listener_settings import ListenerSettings


def reply(service: ListenerSettings, *, tls: bool, login: bool) -> str:
    """The reply to EHLO; `tls`: in use already, `login`: AUTH is possible now."""
    return _reply(
        service.hostname,
        service.limits,
        starttls=service.starttls is not None and not tls,
        login=login,
    )


@lru_cache(maxsize=64)  # a listener has three at most, and each session asks
def _reply(hostname: str, limits: Limits, *, starttls: bool, login: bool) -> str:
    *lines, last = _lines(hostname, limits, starttls=starttls, login=login)
    return "".join([*(f"250-{line}\r\n" for line in lines), f"250 {last}"])


def _lines(
    hostname: str, limits: Limits, *, starttls: bool, login: bool
) -> Iterator[str]:
    yield hostname
    yield "PIPELINING"
    yield f"SIZE {limits.message_size}"
    yield "8BITMIME"
    # For headers in UTF-8, which SES takes encoded; a local part has to be ASCII.
    yield "SMTPUTF8"
    yield "DSN"
    yield "ENHANCEDSTATUSCODES"
    yield f"LIMITS RCPTMAX={limits.recipients}"
    if starttls:
        yield "STARTTLS"
    if login:
        yield "AUTH PLAIN LOGIN"
