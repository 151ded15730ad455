"""How many files and sockets this process may have open, and what it says without."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from typing import Any

from relay import log

# Besides connections: listening sockets, files, the loop's own, look-ups of names.
_OTHERS = 60
_NONE_LEFT = (errno.EMFILE, errno.ENFILE)
_TOLD_EVERY = 60.0  # seconds


def allow(connections: int) -> int:
    """Ask the system for this many connections; how many of them there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox may forbid even what the limit allows
        wanted = soft
    return max(min(connections, wanted - _OTHERS), 0)


def tell_once(loop: asyncio.AbstractEventLoop) -> None:
    """Have `loop` say once a minute that no file is left, and not for each client."""
    tell_from = 0.0

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal tell_from
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _NONE_LEFT):
            loop.default_exception_handler(context)
        elif loop.time() >= tell_from:
            tell_from = loop.time() + _TOLD_EVERY
            log.line(
                logging.ERROR,
                "no files left",
                detail="clients wait; raise the limit of open files "
                "(ulimit -n, LimitNOFILE=), or lower limits.connections",
            )

    loop.set_exception_handler(handle)
