"""One HTTP/1.1 connection: a request goes out, its answer comes back, no more.

What a request is for, and whether the connection is kept, others decide.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from relay.system.handover import Wait

# SES' answers have less than 2 kB. What is larger comes from something else.
MOST_BYTES = 1_000_000  # unless whoever asks expects more


class Broken(Exception):  # noqa: N818 - a statement about the exchange
    """The request may have gone out, and no whole answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names are in lower case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = field(repr=False)


class Line(asyncio.Protocol):
    """A connection that is made; `reusable` tells whether it may carry another."""

    def __init__(
        self, on_made: Callable[[Line], None], on_lost: Callable[[Line], None]
    ) -> None:
        self.idle_since = 0.0
        self.reusable = False
        self._on_made = on_made
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._poll = select.poll()
        self._parser = HttpResponseParser(self)
        # The end of the exchange under way: an answer, or why there is none.
        self._end: asyncio.Future[Answer | Broken] | _End | None = None
        self._writable: asyncio.Future[None] | None = None  # while writing has to wait
        self._until = 0.0  # the end of the wait for it, by the loop's time
        self._clock: asyncio.TimerHandle | None = None
        self._lost = ""  # why the connection is gone
        self._received = 0
        self._most_bytes = MOST_BYTES
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._in_body = False
        self._framed = False  # the answer tells where it ends

    async def exchange(
        self,
        first: Sequence[bytes],
        rest: Iterable[bytes] = (),
        *,
        deadline: float,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Write one request, `first` with one call, and read its answer.

        Raises Broken. Whatever is raised, the connection is at its end.
        """
        self.reusable = False
        if self._transport.is_closing():
            raise Broken(f"closed as soon as it was made: {self._lost or 'by us'}")
        self._received = 0
        self._most_bytes = most_bytes
        self._end = end = _End(loop=self._loop)
        end.line = self
        self._until = deadline
        if self._clock is None or self._clock.when() > deadline:
            self._set_clock()
        try:
            self._transport.writelines(first)
            written = await self._write(rest, end) if rest else True
            answer: Answer | Broken | asyncio.Future[Answer | Broken] = await end
            if isinstance(answer, asyncio.Future):  # in another task, maybe
                answer = await answer
        except BaseException:
            self.abort()
            raise
        finally:
            self._end = None
        if isinstance(answer, Broken):
            self.abort()
            raise answer
        if not written:
            # Refused early (413): an answer. Accepted early: it cannot be true.
            self.abort()
            if answer.status < 300:
                raise Broken(f"{answer.status} before the request was written")
        elif not self.reusable:
            self.abort()
        return answer

    async def _write(self, rest: Iterable[bytes], end: asyncio.Future[object]) -> bool:
        """Write piece by piece as the other side reads; False: it cut us short."""
        for piece in rest:
            # The first lets others run and an early answer in, the second keeps
            # the pieces out of memory until there is room for them.
            await asyncio.sleep(0)
            if self._writable is not None:
                await self._writable
            if end.done():
                return False
            self._transport.write(piece)
        return True

    def moved(self) -> asyncio.Future[Answer | Broken]:
        """Where the end of the exchange under way comes from now on."""
        self._end = end = self._loop.create_future()
        return end

    def usable(self) -> bool:
        """Tell whether nothing has come meanwhile, an end above all.

        Asks the kernel, because the loop may not have come to reading it yet. It is
        what keeps a connection that SES closed from making an end that nobody saw.
        """
        return (
            self.reusable
            and not self._transport.is_closing()
            and not self._poll.poll(0)
        )

    def abort(self) -> None:
        """Close at once; what was not written is dropped."""
        self.reusable = False
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(
            transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLHUP
        )
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        if self._end is None or self._end.done():
            # Nobody asked. The answer that there may be stands, the connection ends.
            self.abort()
            return
        self._received += len(data)
        if self._received > self._most_bytes:
            self._break(f"an answer of more than {self._most_bytes} bytes")
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            # After an answer that is whole this changes nothing but `reusable`.
            self.reusable = False
            self._break(f"unreadable answer: {type(error).__name__}")

    def eof_received(self) -> None:
        self.reusable = False
        if self._in_body and not self._framed:
            self._complete()  # RFC 9112 section 6.3: such an answer ends here
        self._break("closed before the answer was whole")

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._lost = type(exc).__name__ if exc else "closed"
        if self._clock is not None:
            self._clock.cancel()
        self._break(f"connection lost: {self._lost}")
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._headers.clear()
        self._body.clear()
        self._in_body = self._framed = False
        self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._headers.append((name, value))
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        self._in_body = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._in_body and self._end is not None and not self._end.done():
            self.reusable = self._parser.should_keep_alive()
            self._complete()
        # Else an interim answer (RFC 9110 section 15.2), or one too many, after
        # which nobody could tell whose the next one is: not reusable.

    def _complete(self) -> None:
        self._in_body = False
        self._ended(
            Answer(
                self._parser.get_status_code(),
                tuple(self._headers),
                b"".join(self._body),
            )
        )

    # One clock for all exchanges, which looks again when it is too early: cheaper
    # than to set a clock for each, and to cancel it.

    def _set_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = self._loop.call_at(self._until, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._clock = None
        if self._end is None:
            return  # the next exchange sets it
        if self._loop.time() < self._until:
            self._set_clock()
        else:
            self._break("no answer in time")

    def _break(self, why: str) -> None:
        self._ended(Broken(why))

    def _ended(self, end: Answer | Broken) -> None:
        wait = self._end
        if wait is not None and not wait.done():
            if isinstance(wait, _End) and not _is_plain(end):
                # What becomes of it may take longer than its client waits.
                wait.give_up()
            if self._end is not None:
                self._end.set_result(end)
        self.resume_writing()


class _End(Wait):
    """The wait for the end of an exchange; given up, it comes where it is `moved`."""

    __slots__ = ("line",)
    line: Line

    def _after(self) -> object:
        return self.line.moved()


def _is_plain(end: Answer | Broken) -> bool:
    """Tell whether nothing more is to be asked because of it."""
    return isinstance(end, Answer) and end.status < 300
