"""`relay ready`: the health check of a container.

It is asked every few seconds, so the settings, and what reads them, are loaded only
where no --url says whom to ask.
"""

from __future__ import annotations

import argparse
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from relay.cli import settings_option
from relay.log import without_logins

TIMEOUT = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    settings_option.add(parser)
    parser.add_argument(
        "--url", help="of /readyz; else of health.listen, else of web.listen"
    )


def run(options: argparse.Namespace) -> int:
    """Ask a running relay; 0 when it can take mail and keep it."""
    url = options.url or _url(options)
    if not url:
        return 2
    shown = without_logins(url)
    if not url.startswith(("http://", "https://")):
        _complain(f"--url {shown}: begins with neither http:// nor https://")
        return 2
    try:
        status, said = asked(url)
    except (OSError, ValueError, HTTPException) as error:
        _complain(f"relay ready: {shown}: {error}")
        return 1
    if status != 200:
        _complain(f"relay ready: {shown}: {status} {said}")
        return 1
    print(said)
    return 0


def _url(options: argparse.Namespace) -> str:
    """Whom the settings name; "" after saying why nobody."""
    from relay.cli import settings

    config = settings.load(options)
    if config is None:
        return ""
    address = config.health.listen or config.web.listen
    if not address:
        _complain(
            "relay ready: nothing to ask: set health.listen "
            '(such as "127.0.0.1:8026") or web.listen, or give --url'
        )
        return ""
    from relay.cli.connection import reachable

    return f"http://{reachable(address)}/readyz"


def asked(url: str) -> tuple[int, str]:
    """The answer's status, and its words: a proxy of the environment is for SES."""
    parts = urlsplit(url)
    made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = made(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/")
        answer = connection.getresponse()
        said = answer.read(200).decode("utf-8", "replace").strip()
        return answer.status, said if answer.status == 200 else answer.reason
    finally:
        connection.close()


def _complain(text: str) -> None:
    print(text, file=sys.stderr)
