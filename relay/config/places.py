"""Where somebody listens: `host:port`, or the file of a unix socket.

And whether that is this machine alone.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

_HOST_AND_PORT = re.compile(r"(?:\[([^\[\]\s]+)\]|([^\[\]:\s]*)):(\d{1,5})", re.ASCII)


UNIX = "unix:"
# What Linux takes, in bytes.
LONGEST_PATH = 107


def host_and_port(text: str) -> tuple[str, int]:
    """Read `host:port` or `[v6]:port`. Raises ValueError."""
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None or int(match[3]) > 65535 or (match[1] and not _is_v6(match[1])):
        raise ValueError("must be host:port or [v6]:port, such as localhost:1025")
    return match[1] or match[2], int(match[3])


def unix_path(text: str) -> str:
    """The path of `unix:/path`, "" of what is no such. Raises ValueError."""
    if not text.startswith(UNIX):
        return ""
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise ValueError(
            "must be unix: and a whole path, such as unix:/run/x/smtp.sock"
        )
    if len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"has a path of more than {LONGEST_PATH} bytes")
    return path


def is_loopback(listen: str) -> bool:
    """Tell whether only this machine reaches it: a literal, localhost, or a file."""
    if listen.startswith(UNIX):
        return True
    host, _ = host_and_port(listen)
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_v6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False
