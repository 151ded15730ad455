"""Whether a relay of these settings is there: listeners, their TLS, page and health.

It is asked as its clients ask it, from this machine, and no mail is sent.
"""

from __future__ import annotations

import argparse
import errno
import os
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from ipaddress import ip_address

from relay import config
from relay.cli import connection, ready
from relay.cli.check import SOON
from relay.cli.finding import Finding
from relay.config.models import Listener
from relay.smtp.shown_certificate import shown_certificate

SECONDS = 5.0  # for each step
_START = "start the relay (relay serve, systemctl start ses-relay)"
_BELOW_1024 = (
    "; a port below 1024 needs a privilege (systemd: CAP_NET_BIND_SERVICE in "
    "AmbientCapabilities= and CapabilityBoundingSet=), its log says whether it has it"
)
_EXPIRED = 10  # of OpenSSL's X509_V_ERR
_LOOPBACK = tuple(map(ip_address, ("127.0.0.1", "::1")))


def way_in(settings: config.Config) -> list[Finding]:
    """All doors that the settings name."""
    found: list[Finding] = []
    for listener in settings.listeners:
        found += _listener(listener)
    if settings.health.listen:
        found.append(_http("health", settings.health.listen, needed=True))
    if settings.web.listen:
        asked_for = "listen" in settings.web.given
        found.append(_http("page", settings.web.listen, needed=asked_for))
    return found


def _listener(listener: Listener) -> Iterator[Finding]:
    here = f"listener {listener.name}: {listener.address}"
    at = connection.place(connection.reachable(listener.address))
    if not (at.path or at.port):
        yield Finding("warning", f"{here}: another port at each start; not looked at")
        return
    try:
        _connect(at)
    except OSError as error:
        yield Finding("problem", f"{here}: {_closed(at, error)}")
        return
    if any(address in network for network in listener.proxies for address in _LOOPBACK):
        yield Finding("ok", f"{here}: listens; it greets proxies alone")
        return
    try:
        with _opened(at, listener.tls == "implicit", _lenient()) as smtp:
            smtp.ehlo()
            offers = [name for name in ("starttls", "auth") if smtp.has_extn(name)]
            if listener.tls == "starttls" and "starttls" in offers:
                smtp.starttls(context=_lenient())
            shown = isinstance(smtp.sock, ssl.SSLSocket) and smtp.sock.getpeercert(True)
    except smtplib.SMTPResponseException as error:
        yield _unfriendly(here, error)
        return
    except OSError as error:
        text = f"{here}: listens, but {error.strerror or error}"
        yield Finding("problem", f"{text}; see who listens there, and the relay's log")
        return
    if listener.tls == "starttls" and not shown:
        text = f"{here}: offers no STARTTLS; who listens there has other settings"
        yield Finding("problem", f"{text}: reload or restart the relay")
        return
    more = "".join(f", offers {name.upper()}" for name in offers)
    yield Finding("ok", f"{here}: listens and greets{more}")
    if shown:
        yield from _certificate(f"listener {listener.name}: certificate", shown)
        yield _trust(f"listener {listener.name}: certificate", at, listener.tls)


def _connect(at: connection.Place) -> None:
    """See whether somebody listens. Raises OSError."""
    if not at.path:
        socket.create_connection((at.host, at.port), timeout=SECONDS).close()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect(at.path)


def _closed(at: connection.Place, error: OSError) -> str:
    reason = error.strerror or str(error)
    if at.path and error.errno in (errno.EACCES, errno.EPERM):
        return f"{reason} to user {os.getuid()}; see socketMode, and its directory"
    hint = _BELOW_1024 if 0 < at.port < 1024 else ""
    return f"{reason}: nobody listens there; {_START}{hint}"


def _opened(
    at: connection.Place, implicit: bool, trust: ssl.SSLContext
) -> smtplib.SMTP:
    tls = "implicit" if implicit else "off"
    return connection.connected(at, tls=tls, timeout=SECONDS, trust=trust)


def _lenient() -> ssl.SSLContext:
    return connection.context(argparse.Namespace(ca_file=None, no_verify=True))


def _unfriendly(here: str, error: smtplib.SMTPResponseException) -> Finding:
    reply = connection.shown(error.smtp_code, error.smtp_error)
    if error.smtp_code == 554:  # as its `allow` may have it
        return Finding("warning", f"{here}: listens, but not for this machine: {reply}")
    return Finding("problem", f"{here}: {reply}; see the relay's log")


def _certificate(here: str, der: bytes) -> Iterator[Finding]:
    try:
        found = shown_certificate(der)
    except ValueError as error:
        yield Finding("warning", f"{here}: cannot be read: {error}")
        return
    left = found.ends - datetime.now(UTC)
    until = f"{found.ends:%Y-%m-%d}"
    if left.total_seconds() < 0:
        text = f"{here}: ended on {until}; renew it, the relay reads it by itself"
        yield Finding("problem", text)
    elif left < SOON:
        yield Finding("warning", f"{here}: ends on {until}, in {left.days} days")
    else:
        yield Finding("ok", f"{here}: good until {until}, for {left.days} days")
    if found.names:
        yield Finding("ok", f"{here}: for {', '.join(found.names)}")
    else:
        text = f"{here}: names no host, so that clients take it for none"
        yield Finding("warning", f"{text}; make one with subjectAltName")


def _trust(here: str, at: connection.Place, tls: str) -> Finding:
    """Whether clients that trust what this machine trusts can follow its chain."""
    strict = connection.context(argparse.Namespace(ca_file=None, no_verify=False))
    strict.check_hostname = False  # by which name clients ask is not known here
    try:
        with _opened(at, tls == "implicit", strict) as smtp:
            if tls == "starttls":
                smtp.starttls(context=strict)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return Finding("problem", f"{here}: clients refuse it, since it ended")
        return Finding(
            "warning",
            f"{here}: not trusted by this machine: {error.verify_message}; put the "
            "whole chain into tls.certFile, or have clients trust its authority",
        )
    except OSError as error:
        return Finding("warning", f"{here}: not judged: {error.strerror or error}")
    return Finding("ok", f"{here}: trusted by what this machine trusts")


def _http(name: str, address: str, *, needed: bool) -> Finding:
    url = f"http://{connection.reachable(address)}/readyz"
    try:
        status, said = ready.asked(url)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"{name}: {url}: {reason}; {_START}"
        return Finding("problem" if needed else "warning", text)
    if status == 200:
        return Finding("ok", f"{name}: {url}: {said}")
    return Finding("problem", f"{name}: {url}: {status} {said}; see the relay's log")
