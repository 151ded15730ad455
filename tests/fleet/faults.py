"""A proxy before an emulator, for what no emulator does: calls that fail or hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from aiohttp import web

from tests.fleet.passing import (
    Refusal,
    Target,
    action_of,
    as_json,
    body_of,
    listening,
    target,
    xml,
)

# What becomes of a call: passed on | 503 before it, 503 after it took effect, the
# connection lost before and after it, no answer at all before and after it, 403.
FATES = ("pass", "503", "503 after", "cut", "cut after", "hang", "hold", "403")
SLOW_DOWN = Refusal(503, "SlowDown")
DENIED = Refusal(403, "AccessDenied")


@dataclass(frozen=True)
class Call:
    """One call as the proxy saw it: `S3 PUT mail/…`, `SQS SendMessageBatch`."""

    name: str
    fate: str


@dataclass
class Faults:
    """Passes calls on; `fate` says of each what becomes of it.

    `ignores`: a condition that the store is made not to see. `thrice`: each hint that
    is sent comes three times.
    """

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
        self, request: web.BaseRequest, target: Target
    ) -> web.StreamResponse:
        """Answer one call as its fate wants it."""
        body = await body_of(request)
        action = action_of(request)
        name = f"SQS {action}" if action else f"S3 {request.method} {_key(request)}"
        fate = self.fate(name)
        self.calls.append(Call(name, fate))
        if fate == "hang":
            await self.over.wait()
        if fate == "503":
            return xml(SLOW_DOWN)
        if fate == "403":
            return as_json(DENIED) if action else xml(DENIED)
        if fate in ("cut", "hang"):
            return self._cut(request)
        times = 3 if self.thrice and action == "SendMessageBatch" else 1
        for _ in range(times):
            status, headers, found = await target.answer(
                request, body, without=self.ignores
            )
        if fate == "hold":
            self.held.set()
            await self.over.wait()
            return self._cut(request)
        if fate == "503 after":
            return xml(SLOW_DOWN)
        if fate == "cut after":
            return self._cut(request)
        return web.Response(status=status, headers=headers, body=found)

    @staticmethod
    def _cut(request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:  # else the client was faster
            request.transport.abort()
        return web.Response()


def sometimes(random: Random, part: float, *fates: str) -> Callable[[str], str]:
    """So many calls come to one of these fates."""
    return lambda name: random.choice(fates) if random.random() < part else "pass"


@asynccontextmanager
async def faults(url: str) -> AsyncIterator[Faults]:
    """A proxy before what is at `url`, until the context ends."""
    found = Faults()
    async with (
        target(url) as behind,
        listening(lambda request: found.serve(request, behind)) as found.url,
    ):
        try:
            yield found
        finally:
            found.over.set()


def _key(request: web.BaseRequest) -> str:
    """The kind of an object: mail, state and so on."""
    parts = request.path.strip("/").split("/")
    return parts[2] if len(parts) > 2 else "list"
