"""What servers between a relay and an emulator do alike: listen, pass on, refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

# Of a connection, and not of what is asked.
HOPS = ("host", "content-length", "connection", "transfer-encoding", "expect")


@dataclass(frozen=True)
class Refusal:
    """An answer that says no."""

    status: int
    code: str
    text: str = ""


def xml(refusal: Refusal, **more: str) -> web.Response:
    """How S3 refuses."""
    text = (
        f"<Error><Code>{refusal.code}</Code><Message>{refusal.text}</Message></Error>"
    )
    return web.Response(
        status=refusal.status, text=text, content_type="application/xml", headers=more
    )


def as_json(refusal: Refusal) -> web.Response:
    """How SQS refuses."""
    said = {"__type": f"com.amazonaws.sqs#{refusal.code}", "message": refusal.text}
    return web.Response(
        status=refusal.status,
        text=json.dumps(said),
        content_type="application/x-amz-json-1.0",
    )


def action_of(request: web.BaseRequest) -> str:
    """Which call of SQS a request is; "": it is one of S3."""
    return request.headers.get("X-Amz-Target", "").rpartition(".")[2]


async def body_of(request: web.BaseRequest) -> bytes:
    """All of a body, of any size; who waits to be told to send it is told."""
    if "Expect" in request.headers and request.transport is not None:
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await request.content.read()


@asynccontextmanager
async def listening(
    serve: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve on a free port of loopback until the context ends: at which URL."""
    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Target:
    """The emulator, or whatever is asked in the end."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def answer(
        self, request: web.BaseRequest, body: bytes, *, without: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Pass a request on, `without` a header field: status, fields and body."""
        dropped = (*HOPS, without.lower())
        asked = self._session.request(
            request.method,
            URL(self._url + request.raw_path, encoded=True),
            headers=_kept(request.headers, dropped),
            data=BytesIO(body),
            allow_redirects=False,
        )
        async with asked as answer:
            return answer.status, _kept(answer.headers, HOPS), await answer.read()


@asynccontextmanager
async def target(url: str) -> AsyncIterator[Target]:
    """One, until the context ends."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Target(url, session)


def _kept(headers: Any, dropped: tuple[str, ...]) -> dict[str, str]:  # noqa: ANN401 - aiohttp's kinds of them
    return {k: v for k, v in headers.items() if k.lower() not in dropped}
