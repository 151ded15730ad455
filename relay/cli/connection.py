"""The way to a running relay's listener: where it is, by which TLS, and how long.

What the commands that submit mail have in common, without what reads the settings.
"""

from __future__ import annotations

import argparse
import smtplib
import socket
import ssl
from typing import NamedTuple

from relay.cli import duration

SERVER = "localhost:1025"


class Place(NamedTuple):
    """Where a listener is: as it was named, and host and port, or a socket's `path`."""

    name: str
    host: str
    port: int
    path: str = ""


class _OverUnix(smtplib.SMTP):
    """smtplib's own over a unix socket; its LMTP has that, but another greeting."""

    def __init__(
        self, path: str, *, own: str, timeout: float, under: ssl.SSLContext | None
    ) -> None:
        self._path = path
        self._under = under
        super().__init__("localhost", 25, local_hostname=own, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(self._path)
            if self._under is None:
                return sock
            return self._under.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise


def add(parser: argparse.ArgumentParser, *, timeout: str) -> None:
    """Add the options that `connected` reads, but for the server's."""
    parser.add_argument(
        "--tls",
        choices=("off", "starttls", "implicit"),
        default="off",
        help="as the listener has it",
    )
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        help="certificates to trust beside the system's, such as the relay's own",
    )
    parser.add_argument(
        "--no-verify", action="store_true", help="with --tls: trust any certificate"
    )
    parser.add_argument(
        "--timeout",
        type=duration.seconds,
        default=timeout,
        metavar="TIME",
        help="how long to wait for the relay, such as 30s",
    )


def place(server: str) -> Place:
    """Read HOST:PORT, [V6]:PORT or unix:PATH. Raises ValueError."""
    if server.startswith("unix:/"):
        return Place(server, "localhost", 0, server.removeprefix("unix:"))
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError("neither HOST:PORT nor unix:/PATH")
    return Place(server, host.strip("[]"), int(port))


def reachable(address: str) -> str:
    """The address by which this machine reaches a listener on all addresses."""
    host, _, port = address.rpartition(":")
    everywhere = "0.0.0.0"  # noqa: S104 - looked for, not bound
    host = {everywhere: "127.0.0.1", "[::]": "[::1]", "": "localhost"}.get(host, host)
    return f"{host}:{port}"


def context(options: argparse.Namespace) -> ssl.SSLContext:
    """What the server's certificate is judged by. Raises OSError."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: no older one
    if options.ca_file:
        made.load_verify_locations(options.ca_file)
    if options.no_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def connected(
    at: Place, *, tls: str, timeout: float, trust: ssl.SSLContext | None
) -> smtplib.SMTP:
    """A connection that was greeted, under TLS where asked for.

    `trust` may be missing with `tls` off. Raises OSError and smtplib's errors.
    """
    # This machine's name is what smtplib would say too, but it asks the DNS for more.
    own = socket.gethostname()
    smtp: smtplib.SMTP
    if at.path:
        under = trust if tls == "implicit" else None
        smtp = _OverUnix(at.path, own=own, timeout=timeout, under=under)
    elif tls == "implicit":
        return smtplib.SMTP_SSL(
            at.host, at.port, local_hostname=own, timeout=timeout, context=trust
        )
    else:
        smtp = smtplib.SMTP(at.host, at.port, local_hostname=own, timeout=timeout)
    if tls == "starttls":
        try:
            smtp.starttls(context=trust)
        except BaseException:
            smtp.close()
            raise
    return smtp


def trouble(at: Place, error: OSError) -> str:
    """What went wrong on the way, and the cure; not for a reply of the server."""
    if isinstance(error, ssl.SSLError):
        return (
            f"{at.name}: {error.strerror or error}; --ca-file names a certificate to "
            "trust, --no-verify trusts any"
        )
    if isinstance(error, smtplib.SMTPException):
        return f"{at.name}: {error}"
    return f"{at.name}: {error.strerror or error}; is the relay running there?"


def shown(code: int, text: bytes | str) -> str:
    """A reply on one line, with nothing that a terminal would obey."""
    said = text if isinstance(text, str) else text.decode("ascii", "replace")
    return f"{code} {' '.join(said.split())}"
