"""How a server of HTTP is run on sockets that are bound already."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from relay.system.door import Crowd, Door
from relay.web.lines import IDLE_SECONDS, Lines


@asynccontextmanager
async def served(
    app: web.Application,
    bound: Sequence[socket.socket],
    *,
    name: str,
    most: int,
    passing: int,
) -> AsyncIterator[None]:
    """Answer with `app` on `bound` while the context lasts.

    `most`: connections at one time, on all of `bound` together; so many as `passing`
    may be inside beside them, about to be dropped.
    """
    # A probe every second must not fill the log.
    # Who gave up waiting for a mail must not hold the place of one who does.
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=1.0,
        handler_cancellation=True,
        keepalive_timeout=IDLE_SECONDS,
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - `setup` has made it
    lines = Lines(server, name=name, most=most)
    crowd = Crowd(most + passing)
    doors = [Door(lines, listening, crowd) for listening in bound]
    try:
        yield
    finally:
        for door in doors:
            door.close()
        async with asyncio.timeout(5):
            await runner.cleanup()
