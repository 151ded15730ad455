"""The probes and the metrics: for machines, on `health` without a password."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from relay.web.metrics import CONTENT_TYPE, Metrics

# At one time, on each server: a page needs two or three.
MOST_CONNECTIONS = 500

LIVEZ, READYZ, METRICS = "/livez", "/readyz", "/metrics"

# Says what stands in the way of taking mail; "": nothing.
Trouble = Callable[[], Awaitable[str]]


def routes(trouble: Trouble, metrics: Metrics) -> list[web.RouteDef]:
    """Routes for /livez, /readyz and /metrics.

    /livez: the loop turns. /readyz: mail can be taken and kept; 503 when not.
    Neither asks SES.
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        if reason := await trouble():
            return web.Response(text=f"not ready: {reason}\n", status=503)
        return web.Response(text="ready\n")

    async def numbers(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE}
        return web.Response(body=metrics.text(), headers=headers)

    return [
        web.get(LIVEZ, livez),
        web.get(READYZ, readyz),
        web.get(METRICS, numbers),
    ]


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
        await loop.create_server(protocol, sock=one, backlog=50) for one in bound
    ]
    try:
        yield
    finally:
        for one in accepting:
            one.close()
        async with asyncio.timeout(5):
            await runner.cleanup()


class _Full(asyncio.Protocol):
    """What a connection too many gets: nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
