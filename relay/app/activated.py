"""The sockets of listeners that systemd has opened, where a socket unit says so.

One is taken where its name is a listener's and its address the one of the settings:
whether outsiders reach a listener is judged by what the settings say.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from relay import config
from relay.system import sockets
from relay.system.sockets import CannotListen

Sockets = Mapping[str, list[socket.socket]]


def activated(addresses: Mapping[str, str]) -> Sockets:
    """Those of each listener, by its name, as the `addresses` of the settings are.

    Raises CannotListen for one that is no listener's.
    """
    if "LISTEN_FDS" not in os.environ:
        return {}
    from relay.system import activation

    found: dict[str, list[socket.socket]] = {}
    given = activation.given()
    try:
        for name, sock in given:
            _check(name, sock, addresses)
            found.setdefault(name, []).append(sock)
    except BaseException:
        for _, sock in given:
            sock.close()
        raise
    return found


def _check(name: str, sock: socket.socket, addresses: Mapping[str, str]) -> None:
    """Raise CannotListen unless this is a socket of the listener of this name."""
    known_kind = sock.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
    if not (known_kind and sockets.listens(sock) and sock.type == socket.SOCK_STREAM):
        raise CannotListen(
            f'systemd hands over "{name}", to which no client can connect; its unit '
            "needs ListenStream= with a port or a path, and Accept=no"
        )
    shown = sockets.shown(sock)
    if name not in addresses:
        known = " or ".join(f'"{one}"' for one in addresses)
        raise CannotListen(
            f'systemd hands over "{name}", which listens on {shown}, and no listener '
            f"has this name; let FileDescriptorName= of its unit be {known}"
        )
    address = addresses[name]
    if not _is_at(sock, address):
        raise CannotListen(
            f"listener {name}: systemd listens on {shown} for it, and its address is "
            f"{address}; let ListenStream= of the socket's unit say the same"
        )


def _is_at(sock: socket.socket, address: str) -> bool:
    """Tell whether it listens where a listener of that address would."""
    path = config.unix_path(address)
    if path or sock.family == socket.AF_UNIX:
        return sock.family == socket.AF_UNIX and path == sock.getsockname()
    host, port = config.host_and_port(address)
    here, at, *_ = sock.getsockname()
    hosts = {where[0] for _, where in sockets.addresses(host, port)}
    return here in hosts and port in (0, at)
