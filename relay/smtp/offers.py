"""What EHLO offers (RFC 5321 section 4.1.1.1); each is kept to where it is used."""

from __future__ import annotations

from collections.abc import Iterator

from relay.smtp.listener_settings import ListenerSettings


def reply(service: ListenerSettings, *, tls: bool, login: bool) -> str:
    """The reply to EHLO; `tls`: in use already, `login`: AUTH is possible now."""
    *lines, last = _lines(service, tls=tls, login=login)
    return "".join([*(f"250-{line}\r\n" for line in lines), f"250 {last}"])


def _lines(service: ListenerSettings, *, tls: bool, login: bool) -> Iterator[str]:
    limits = service.limits
    yield service.hostname
    yield "PIPELINING"
    yield f"SIZE {limits.message_size}"
    yield "8BITMIME"
    # For headers in UTF-8, which SES takes encoded; a local part has to be ASCII.
    yield "SMTPUTF8"
    yield "DSN"
    yield "ENHANCEDSTATUSCODES"
    yield f"LIMITS RCPTMAX={limits.recipients}"
    if service.starttls and not tls:
        yield "STARTTLS"
    if login:
        yield "AUTH PLAIN LOGIN"
