"""A proxy before an emulator, for what no emulator does: calls that fail or hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import aiohttp
from aiohttp import web

# What becomes of a call: passed on | 503 before it, 503 after it took effect, the
# connection lost before and after it, no answer at all before and after it, 403.
FATES = ("pass", "503", "503 after", "cut", "cut after", "hang", "hold", "403")


HOPS = ("host", "content-length", "expect")


@dataclass(frozen=True)
class Call:
    """One call as the proxy saw it: `S3 PUT mail/…`, `SQS SendMessageBatch`."""

    name: str
    fate: str


@dataclass
class Faults:
    """Passes calls to `target`; `fate` says of each what becomes of it.

    `ignores`: a condition that the store is made not to see. `thrice`: each hint that
    is sent comes three times.
    """

    target: str
    url: str = ""
    fate: Callable[[str], str] = lambda name: "pass"
    ignores: str = ""
    thrice: bool = False
    calls: list[Call] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def named(self, start: str) -> list[str]:
        """The names of the calls that begin so."""
        return [one.name for one in self.calls if one.name.startswith(start)]

    async def serve(
        self, request: web.BaseRequest, session: aiohttp.ClientSession
    ) -> web.StreamResponse:
        """Answer one call as its fate wants it."""
        if "Expect" in request.headers and request.transport is not None:
            transport = request.transport
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await request.read()
        action = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        name = f"SQS {action}" if action else f"S3 {request.method} {_key(request)}"
        fate = self.fate(name)
        self.calls.append(Call(name, fate))
        if fate == "hang":
            await self.over.wait()
        if fate == "503":
            return _slow_down()
        if fate == "403":
            return _denied(json=bool(action))
        if fate in ("cut", "hang"):
            return self._cut(request)
        answer = await self._passed(request, body, session)
        for _ in range(2 if self.thrice and action == "SendMessageBatch" else 0):
            await self._passed(request, body, session)
        if fate == "hold":
            self.held.set()
            await self.over.wait()
            return self._cut(request)
        if fate == "503 after":
            return _slow_down()
        return self._cut(request) if fate == "cut after" else answer

    async def _passed(
        self, request: web.BaseRequest, body: bytes, session: aiohttp.ClientSession
    ) -> web.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in (*HOPS, self.ignores.lower())
        }
        async with session.request(
            request.method, self.target + request.raw_path, headers=headers, data=body
        ) as answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower()
                not in ("content-length", "transfer-encoding", "content-encoding")
            }
            found = await answer.read()
            return web.Response(status=answer.status, headers=kept, body=found)

    @staticmethod
    def _cut(request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:  # else the client was faster
            request.transport.abort()
        return web.Response()


def sometimes(random: Random, part: float, *fates: str) -> Callable[[str], str]:
    """So many calls come to one of these fates."""
    return lambda name: random.choice(fates) if random.random() < part else "pass"


@asynccontextmanager
async def faults(target: str) -> AsyncIterator[Faults]:
    """A proxy on a free port of loopback until the context ends."""
    found = Faults(target)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        server = web.Server(lambda request: found.serve(request, session))
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield found
        finally:
            found.over.set()
            await runner.cleanup()


def _key(request: web.BaseRequest) -> str:
    """The kind of an object: mail, state and so on."""
    parts = request.path.strip("/").split("/")
    return parts[2] if len(parts) > 2 else "list"


def _denied(*, json: bool) -> web.Response:
    """As S3 says it, and as SQS does."""
    if json:
        text = '{"__type": "com.amazon.coral.service#AccessDenied", "Message": "no"}'
        kind = "application/x-amz-json-1.0"
    else:
        text = "<Error><Code>AccessDenied</Code></Error>"
        kind = "application/xml"
    return web.Response(status=403, text=text, content_type=kind)


def _slow_down() -> web.Response:
    text = "<Error><Code>SlowDown</Code></Error>"
    return web.Response(status=503, text=text, content_type="application/xml")
