"""The probes, on a listener of their own without a password."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serve_health(
    bound: Sequence[socket.socket], ready: Callable[[], bool]
) -> AsyncIterator[None]:
    """Answer /livez and /readyz on `bound` while the context lasts.

    /livez: the loop turns. /readyz: mail can be taken and kept; 503 when not.
    Neither asks SES.
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(text="not ready\n", status=503)

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    # A probe every second must not fill the log.
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        for one in bound:
            await web.SockSite(runner, one).start()
        yield
    finally:
        async with asyncio.timeout(5):
            await runner.cleanup()
