"""How a server of HTTP is run on sockets that are bound already."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

# At one time, on each server: a page needs a few.
MOST_CONNECTIONS = 500


@asynccontextmanager
async def served(
    app: web.Application, bound: Sequence[socket.socket]
) -> AsyncIterator[None]:
    """Answer with `app` on `bound` while the context lasts."""
    # A probe every second must not fill the log.
    # Who gave up waiting for a mail must not hold the place of one who does.
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True
    )
    await runner.setup()
    server = runner.server
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        if server is None or len(server.connections) >= MOST_CONNECTIONS:
            return _Full()
        return server()

    # So many are accepted before the first of them is counted.
    accepting = [
        await loop.create_server(protocol, sock=listener, backlog=50)
        for listener in bound
    ]
    try:
        yield
    finally:
        for opened in accepting:
            opened.close()
        async with asyncio.timeout(5):
            await runner.cleanup()


class _Full(asyncio.Protocol):
    """What a connection too many gets: nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
