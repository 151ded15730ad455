"""`relay ready`: the health check of a container."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request

from relay.cli import settings
from relay.log import without_logins

TIMEOUT = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    settings.add(parser)
    parser.add_argument(
        "--url", help="of /readyz; else of health.listen, else of web.listen"
    )


def run(options: argparse.Namespace) -> int:
    """Ask a running relay; 0 when it can take mail and keep it."""
    url = options.url
    if not url:
        config = settings.load(options)
        if config is None:
            return 2
        address = config.health.listen or config.web.listen
        if not address:
            settings.complain(
                "relay ready: nothing to ask: set health.listen "
                '(such as "127.0.0.1:8026") or web.listen, or give --url'
            )
            return 2
        url = f"http://{_reachable(address)}/readyz"
    elif not url.startswith(("http://", "https://")):
        settings.complain(
            f"--url {without_logins(url)}: begins with neither http:// nor https://"
        )
        return 2
    shown = without_logins(url)
    # A proxy from the environment is for SES, not for a probe of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            print(answer.read(200).decode("utf-8", "replace").strip())
            return 0
    except urllib.error.HTTPError as error:
        print(f"relay ready: {shown}: {error.code} {error.reason}", file=sys.stderr)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        print(f"relay ready: {shown}: {reason}", file=sys.stderr)
    return 1


def _reachable(address: str) -> str:
    """The address by which this machine reaches a listener on all addresses."""
    host, _, port = address.rpartition(":")
    everywhere = "0.0.0.0"  # noqa: S104 - looked for, not bound
    host = {everywhere: "127.0.0.1", "[::]": "[::1]", "": "localhost"}.get(host, host)
    return f"{host}:{port}"
