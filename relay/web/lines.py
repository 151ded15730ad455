"""The connections of one server, and which of them goes when there are too many.

Who says nothing holds no place for long, and none at all against who does: a stranger
with many silent connections must not make the probes blind. So connections are of
three kinds: silent, where the head of a request is waited for; asking, where it is
here and nobody knows yet whether its asker may; held, where he may.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from relay import log

# For the head of a request, from the connection or the head's first byte on.
HEAD_SECONDS = 10.0
# Between two requests, or while the client takes nothing of an answer.
IDLE_SECONDS = 75.0
# Places that no request but a probe can have.
KEPT = 10
TOLD_EVERY = 60.0  # seconds

TOO_MANY = "Too many requests at one time, try again later"

# Which connections go first when there are too many; those that are held never.
SILENT, WRONG, ASKING, HELD = range(4)


class Lines:
    """All connections of the server `name`, at most `most`; each made by `inner`.

    `gone` is told of each that is closed, those too that had no place.
    """

    def __init__(
        self,
        inner: Callable[[], asyncio.Protocol],
        *,
        name: str,
        most: int,
        gone: Callable[[], None],
        head_seconds: float = HEAD_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._inner = inner
        self._name = name
        self._most = most
        self.gone = gone
        self.head_seconds = head_seconds
        self.idle_seconds = idle_seconds
        # In the order in which they came to be of that kind.
        self._kinds: list[dict[Line, None]] = [{}, {}, {}, {}]
        self._tell_from = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._kinds))

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one more connection; another one may have to go."""
        if len(self) >= self._most:
            self._tell()
            if not self._drop_one():
                return _Full(self.gone)
        line = Line(self._inner(), self)
        self._kinds[SILENT][line] = None
        return line

    def holds_more(self) -> bool:
        """Tell whether another request may hold its place."""
        return len(self._kinds[HELD]) < max(self._most - KEPT, 1)

    def move(self, line: Line, kind: int) -> None:
        """Enter a connection as the youngest of its kind, if it is still there."""
        if self.forget(line):
            self._kinds[kind][line] = None

    def forget(self, line: Line) -> bool:
        """Count a connection no more; False: it was not counted."""
        for kind in self._kinds:
            if line in kind:
                del kind[line]
                return True
        return False

    def _drop_one(self) -> bool:
        for kind in self._kinds[:HELD]:
            if kind:
                line = next(iter(kind))
                self.forget(line)
                line.drop()
                return True
        return False

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._tell_from:
            return
        self._tell_from = now + TOLD_EVERY
        log.line(
            logging.WARNING,
            "too many connections",
            listener=self._name,
            most=self._most,
            detail="for each new one, the one that has been silent longest is closed",
        )


class Line(asyncio.Protocol):
    """One connection: passes all on to the library's protocol, and looks at the time.

    Made before its connection is, so that of many at once just the allowed number
    comes in.
    """

    def __init__(self, inner: asyncio.Protocol, lines: Lines) -> None:
        self._inner = inner
        self._lines = lines
        self._transport: asyncio.Transport | None = None
        self._dropped = False
        self._resting = False  # it has had an answer, and nothing came since
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    # As asyncio tells of it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._inner.connection_made(transport)
        if self._dropped:
            self.drop()
        else:
            self._expire_in(self._lines.head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._resting:
            self._resting = False
            self._expire_in(self._lines.head_seconds)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_timer()
        self._lines.forget(self)
        self._lines.gone()
        self._inner.connection_lost(error)
        self._transport = None

    # As requests tell of it.

    def asks(self) -> None:
        """The head of a request is here."""
        self._stop_timer()
        self._resting = False
        self._lines.move(self, ASKING)

    def is_wrong(self) -> None:
        """Its asker may not, and has yet to hear so."""
        self._lines.move(self, WRONG)

    def hold(self) -> bool:
        """Its asker may: it keeps its place; False: all places are taken."""
        if not self._lines.holds_more():
            return False
        self._lines.move(self, HELD)
        return True

    def rests(self) -> None:
        """There is an answer to its request, which may still be on its way."""
        if self._transport is not None:
            self._resting = True
            self._lines.move(self, SILENT)
            self._expire_in(self._lines.idle_seconds)

    def drop(self) -> None:
        """Close at once."""
        self._dropped = True
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _expire_in(self, seconds: float) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._expired)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        unsent = (
            0 if self._transport is None else self._transport.get_write_buffer_size()
        )
        if unsent and unsent != self._unsent:  # an answer that goes out slowly
            self._unsent = unsent
            self._expire_in(self._lines.idle_seconds)
        else:
            self.drop()


class _Full(asyncio.Protocol):
    """What a connection too many gets: nothing."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._gone()


def line_of(request: web.Request) -> Line | None:
    """The connection that a request came by; None: it is gone."""
    transport = request.transport
    line = None if transport is None else transport.get_protocol()
    return line if isinstance(line, Line) else None


def hold(request: web.Request) -> bool:
    """Keep the place of a request that may be asked; False: there is none."""
    line = line_of(request)
    return line is None or line.hold()


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around all else: a connection that asks is not silent."""
    line = line_of(request)
    if line is None:
        return await handler(request)
    line.asks()
    try:
        return await handler(request)
    finally:
        line.rests()
