"""`/api/v1/events`: what changes, as server-sent events in bundles.

A bundle is made once for all readers. Where more changed than it takes, it has the
newest mails instead: how much a reader is told does not depend on how much comes.
A reader that does not keep up is dropped; it comes back by itself, and asks anew.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from aiohttp import web

from relay.model.submission import MailId
from relay.observe.journal import Journal
from relay.observe.ring import Point
from relay.web.mails import summary
from relay.web.marks import Marks

EVERY = 0.25  # seconds between two bundles
EVERY_BUSY = 0.5  # the same after one that did not take all
AT_MOST = 50  # mails of one bundle
NEWEST = 100  # mails of a bundle where more than that changed
BEHIND = 20  # bundles that a reader may be behind
READERS = 50
QUIET = 15.0  # seconds until a sign of life
SLOW = 5.0  # seconds that one write may take
RESET_AT_CLOSE = struct.pack("ii", 1, 0)
SEND_BUFFER = 131_072  # bytes that the kernel keeps for a reader; by itself far more


class Live:
    """Tells all readers of mails, and what `of_point` says of each five seconds."""

    def __init__(
        self,
        journal: Journal,
        marks: Marks,
        of_point: Callable[[Point], dict[str, Any]],
    ) -> None:
        self._journal = journal
        self._marks = marks
        self._of_point = of_point
        self._since = 0  # the change up to which readers were told
        self._readers: set[asyncio.Queue[bytes | None]] = set()
        self._changed: dict[MailId, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._every = EVERY

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/v1/events", self._events)]

    def changed(self, mail_id: MailId) -> None:
        """Tell of an entry, a moment later and with others."""
        if not self._readers:
            return
        if len(self._changed) <= AT_MOST:
            self._changed[mail_id] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._every, self._bundle)

    def point(self, point: Point) -> None:
        """Tell of five more seconds."""
        if self._readers:
            self._tell("point", self._of_point(point))

    def cleared(self) -> None:
        """Tell that all mails are forgotten."""
        self._changed.clear()
        mark = self._marks.now()
        self._since = mark["asOf"]
        self._tell("cleared", mark)

    def close(self) -> None:
        """Let all readers go."""
        if self._timer is not None:
            self._timer.cancel()
        for reader in tuple(self._readers):
            self._drop(reader)

    def _bundle(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, {}
        more = len(changed) > AT_MOST
        self._every = EVERY_BUSY if more else EVERY
        if more:
            entries = self._journal.newest(NEWEST)
        else:
            found = [self._journal.get(mail_id) for mail_id in changed]
            entries = [entry for entry in found if entry is not None]
        since, mark = self._since, self._marks.now()
        self._since = mark["asOf"]
        bundle = {
            "mails": [summary(entry) for entry in entries],
            "gone": self._journal.forgotten(since),
            "more": more,
            "since": since,
            **mark,
        }
        self._tell("mails", bundle)

    def _tell(self, event: str, value: dict[str, Any]) -> None:
        if not self._readers:
            return
        data = _event(event, value)
        for reader in tuple(self._readers):
            if reader.qsize() >= BEHIND:
                self._drop(reader)
            else:
                reader.put_nowait(data)

    def _drop(self, reader: asyncio.Queue[bytes | None]) -> None:
        self._readers.discard(reader)
        while not reader.empty():
            reader.get_nowait()
        reader.put_nowait(None)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if len(self._readers) >= READERS:
            raise web.HTTPServiceUnavailable(reason="Too many readers already")
        response = web.StreamResponse()
        response.content_type = "text/event-stream"
        reader: asyncio.Queue[bytes | None] = asyncio.Queue()
        mark = self._marks.now()
        if not self._readers:
            self._changed.clear()
            self._since = mark["asOf"]
        self._readers.add(reader)
        try:
            if request.transport is not None:
                line = request.transport.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
                # Whoever is dropped is dropped at once, with what was not read.
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n" + _event("here", mark))
            while (data := await _next(reader)) is not None:
                async with asyncio.timeout(SLOW):
                    await response.write(data)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._readers.discard(reader)
        return response


def _event(name: str, value: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


async def _next(reader: asyncio.Queue[bytes | None]) -> bytes | None:
    """The next bundle, or a sign of life; None: the reader is dropped."""
    try:
        async with asyncio.timeout(QUIET):
            return await reader.get()
    except TimeoutError:
        return b": still here\n\n"
