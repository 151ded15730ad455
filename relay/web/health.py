"""The probes and the metrics: for machines, on `health` without a password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from relay.web.metrics import CONTENT_TYPE, Metrics

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
