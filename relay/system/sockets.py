"""Listening sockets: a name is bound on every address that it has."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

from relay import log
from relay.system.port_holder import holder

# An address of a name that this machine does not have: skipped, not fatal.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
BACKLOG = 1024
# How many times port 0 is drawn anew when another address has the port taken.
_DRAWS = 20


Address = tuple[Any, ...]  # as getaddrinfo gives it: host, port, and IPv6's two


# What getaddrinfo says of a name that is wrong; all else is the name service's trouble.
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5))


class CannotListen(Exception):  # noqa: N818 - a statement, meant for the operator
    """The address cannot be listened on, by reason of the settings or the machine."""


class CannotListenNow(CannotListen):
    """What stands in the way may pass by itself: a port that is taken, a name service
    or an address that is not there yet."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Bind `host` on every address that it has, all with one port.

    Raises CannotListen with what stands in the way, and the cure.
    """
    name = _written(host, port)
    found = addresses(host, port)
    for _ in range(_DRAWS):
        try:
            return _bind_all(found, name)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port == 0:
                continue
            hosts = [str(where[0]) for _, where in found]
            raise _refused(error, name, hosts, port) from error
    raise CannotListenNow(f"{name}: no port is free on all of its addresses")


def addresses(host: str, port: int) -> list[tuple[int, Address]]:
    """All that a name stands for, with their families. Raises CannotListen."""
    name = _written(host, port)
    try:
        # As bytes: a text goes through the codec of IDNA, which has tables to import.
        name_or_none = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(
            name_or_none or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        # Without its number, which tells nobody anything.
        text = f"{name}: {error.strerror}: no such host"
        if error.errno in _NO_SUCH_NAME:
            raise CannotListen(text) from error
        raise CannotListenNow(f"{text}, or no name service yet") from error
    except (OSError, UnicodeError) as error:
        raise CannotListen(f"{name}: {error}: no such host") from error
    return list(dict.fromkeys((family, where) for family, _, _, _, where in found))


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refused(
    error: OSError, name: str, hosts: Sequence[str], port: int
) -> CannotListen:
    """The words for what the system answered."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == errno.EADDRINUSE:
        by = holder(hosts, port) or "a process that this user may not look at"
        cure = "stop that, or choose another address"
        return CannotListenNow(f"{name}: {reason}, by {by}; {cure}")
    if error.errno == errno.EACCES and port < 1024:
        return CannotListen(
            f"{name}: {reason}: ports below 1024 need a privilege; give it "
            "(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE, which "
            "CapabilityBoundingSet= must hold too; container: --sysctl "
            "net.ipv4.ip_unprivileged_port_start=0), or choose a port from 1024 on"
        )
    return CannotListen(f"{name}: {reason}")


def _bind_all(
    addresses: Sequence[tuple[int, Address]], name: str
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, where in addresses:
            drawn = sockets[0].getsockname()[1] if sockets else where[1]
            try:
                sockets.append(_bind_one(family, (where[0], drawn, *where[2:])))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                log.line(
                    logging.INFO,
                    "address skipped",
                    address=str(where[0]),
                    reason="this machine does not have it",
                )
    except BaseException:
        for each in sockets:
            each.close()
        raise
    if not sockets:
        raise CannotListenNow(f"{name}: this machine has none of its addresses")
    return sockets


def _bind_one(family: int, where: Address) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where a socket names its protocol, and
    # a client's has it from this one. Else a greeting in TLS waits for the client's
    # delayed acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        # Listening, not only binding, tells that the port is taken.
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def listens(sock: socket.socket) -> bool:
    """Tell whether clients can still connect to `sock`."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:  # closed
        return False


def shown(sock: socket.socket) -> str:
    """The address that `sock` is bound to, as an operator writes it; "" when closed."""
    try:
        name = sock.getsockname()
    except OSError:
        return ""
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port, *_ = name
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
