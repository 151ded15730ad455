"""The bytes of one SMTP connection: command lines and mail data in, replies out.

Bounded in memory and time, whatever the client does; knows no command.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from relay.smtp.tls import Tls, TlsError

T = TypeVar("T")

CHUNK = 65_536
# Replies collect while further commands are here already (RFC 2920), up to this;
# then the client has to read some before it is served on.
REPLIES = 65_536
END = b"\r\n.\r\n"
# A handshake is a few kilobytes; who floods instead is cut off.
HANDSHAKE = 262_144


class Silent(Exception):  # noqa: N818 - a statement about the client
    """The client let its time go by."""


class Memory:
    """An account of the content in hand, in bytes, over all sessions."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, size: int) -> bool:
        return self.used + size <= self.limit

    def take(self, size: int) -> bool:
        """Enter `size` bytes, or nothing when they would not fit."""
        if not self.has_room(size):
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        self.used -= size


class Account:
    """What one mail takes out of the shared `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._taken = 0

    def take(self, size: int) -> bool:
        if not self._memory.take(size):
            return False
        self._taken += size
        return True

    def close(self) -> None:
        self._memory.give_back(self._taken)
        self._taken = 0


@dataclass(frozen=True, slots=True)
class Data:
    """What came between DATA and its final dot; `content` is empty with a fault."""

    content: bytes
    too_large: bool = False
    line_too_long: bool = False
    no_room: bool = False


class Wire:
    """Reads and writes one connection; every wait ends after `timeout` seconds.

    Raises `Silent` when the client's time is over, EOFError when no more will
    come, and ConnectionError when nobody is there to be answered.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        timeout: float,
    ) -> None:
        self._writer = writer
        self._line = cast("asyncio.Transport", writer.transport)
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._until = math.inf  # the end of the wait under way
        self._clock: asyncio.TimerHandle | None = None
        self._arrived = bytearray()  # as it came, in TLS or not
        self._ended = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._in = bytearray()
        self._out = bytearray()
        self._tls: Tls | None = None
        self.waiting = False  # for the client's next bytes, with nothing unanswered
        self.stuck = False  # the client does not read its replies
        self.quiet = False  # what the client would read is not SMTP yet

    @property
    def tls(self) -> str:
        """The version of TLS in use, or ""."""
        return self._tls.version if self._tls else ""

    async def header(
        self, take: Callable[[bytes], tuple[T, int] | None], *, seconds: float
    ) -> T:
        """What stands before the first command, as `take` reads it.

        `take` gets all that is here; it returns what it found and how many bytes
        that were, or None while it needs more.
        """
        deadline = self._loop.time() + min(seconds, self._timeout)
        while (found := take(bytes(self._in))) is None:
            await self._fill(deadline)
        value, length = found
        del self._in[:length]
        return value

    async def start_tls(self, context: ssl.SSLContext, *, seconds: float) -> None:
        """Shake hands, and speak TLS from here on. Raises TlsError.

        What the client sent before is taken as the beginning of its handshake.
        """
        tls = Tls(context)
        received = bytes(self._in)
        self._in.clear()
        self.quiet = True
        count = 0
        deadline = self._loop.time() + min(seconds, self._timeout)
        try:
            while not (received and tls.handshake(received)):
                self._send(tls.outgoing())
                received = await self._read(deadline)
                count += len(received)
                if not received:
                    raise EOFError
                if count > HANDSHAKE:
                    raise TlsError("too much data in the handshake")
            self._send(tls.outgoing())
            # The client may have said something behind its Finished already.
            self._in += tls.decrypted(b"")
        except TlsError:
            self._send(tls.outgoing())  # an alert that tells the client why
            raise
        self.quiet = False
        self._tls = tls

    async def drop_unread(self) -> int:
        """Throw away what is here already, and tell how many bytes that were."""
        # Once round the loop, and what has come in the meantime is here as well.
        for _ in range(2):
            await asyncio.sleep(0)
        dropped = len(self._in) + len(self._arrived)
        self._in.clear()
        self._take()
        return dropped

    async def command(self, limit: int) -> bytes | None:
        """The next line without its end; None when it is longer than `limit` bytes.

        A bare LF ends a command too, as old clients send it.
        """
        searched = 0
        overlong = False
        # One deadline for the whole line: a drip of bytes is no complete command.
        deadline = self._loop.time() + self._timeout
        while (end := self._in.find(b"\n", searched)) < 0:
            if len(self._in) > limit + 2:
                overlong = True
                self._in.clear()
            searched = len(self._in)
            await self._fill(deadline)
        line = bytes(self._in[:end]).removesuffix(b"\r")
        del self._in[: end + 1]
        return None if overlong or len(line) > limit else line

    async def data(self, account: Account, *, size: int, line_length: int) -> Data:
        """Mail data up to CRLF . CRLF, dots unstuffed (RFC 5321 section 4.5.2).

        A fault does not end the reading, only the keeping. The whole may take
        `timeout` seconds plus one for each 50 kB that came.
        """
        began = self._loop.time()
        chunks: list[bytes] = []
        tail = b"\r\n"  # so that a dot on the first line is at the start of a line
        received = kept = stuffed = line = 0
        too_large = line_too_long = no_room = False
        while True:
            if not self._in:
                await self._fill(began + self._timeout + received / 50_000)
            chunk = bytes(self._in)
            self._in.clear()
            window = tail + chunk
            end = window.find(END)
            if end >= 0:
                cut = end + len(END) - len(tail)
                self._in += chunk[cut:]
                chunk = chunk[:cut]
            received += len(chunk)
            if not line_too_long:
                line, line_too_long = _longest(chunk, line, line_length + 2)
            # Stuffed dots do not count (RFC 1870 section 3). One may stand across
            # two chunks, hence the 1; the exact size is checked at the end.
            if not (too_large or line_too_long or no_room):
                kept += len(chunk)
                stuffed += chunk.count(b"\r\n.") + 1
                too_large = kept - stuffed > size + len(END)
                no_room = not too_large and not account.take(len(chunk))
            if too_large or line_too_long or no_room:
                chunks.clear()
                account.close()
            else:
                chunks.append(chunk)
            if end >= 0:
                break
            tail = window[-4:]
        if too_large or line_too_long or no_room:
            return Data(b"", too_large, line_too_long, no_room)
        content = b"".join(chunks)
        chunks.clear()
        content = _unstuffed(content)
        return Data(b"", True) if len(content) > size else Data(content)

    async def _fill(self, deadline: float) -> None:
        if self._out:
            await self.flush()
        if self._tls is not None:
            self._in += await self._decrypted(self._tls, deadline)
            return
        chunk = await self._read(deadline)
        if not chunk:
            raise EOFError
        self._in += chunk

    async def _decrypted(self, tls: Tls, deadline: float) -> bytes:
        """The next bytes that came in TLS; a record may come in many pieces."""
        while not tls.ended:
            chunk = await self._read(deadline)
            if not chunk:
                break
            clear = tls.decrypted(chunk)
            self._send(tls.outgoing())  # what TLS itself has to answer
            if clear:
                return clear
        raise EOFError

    async def _read(self, deadline: float) -> bytes:
        """What has arrived, as it came; b"" when no more will."""
        if not self._arrived and not self._ended:
            self._until = deadline
            if self._clock is None or self._clock.when() > deadline:
                self._set_clock()
            self.waiting = True
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self.waiting = False
                self._waiter = None
                self._until = math.inf
        return self._take()

    def _take(self) -> bytes:
        data = bytes(self._arrived)
        self._arrived.clear()
        if self._paused:
            self._paused = False
            self._line.resume_reading()
        return data

    def received(self, data: bytes) -> None:
        """Take in what the connection brings."""
        self._arrived += data
        if len(self._arrived) > CHUNK and not self._paused:
            self._paused = True
            self._line.pause_reading()
        self._wake()

    def ended(self) -> None:
        """Take in that the connection will bring no more."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # One clock for all waits, which looks again when it is too early: asyncio.timeout()
    # for each of them is a tenth of the processor time of a mail (measured).

    def _set_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = self._loop.call_at(self._until, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._clock = None
        if self._until == math.inf:
            return  # nobody waits; the next wait sets it
        if self._loop.time() < self._until:
            self._set_clock()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Silent())

    def end(self) -> None:
        """Let go of the connection: nothing is waited for any more."""
        if self._clock is not None:
            self._clock.cancel()

    def _send(self, data: bytes) -> None:
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def reply(self, text: str) -> None:
        """Answer; sent at once unless the next command is here already."""
        self._out += text.encode("ascii") + b"\r\n"
        if not self._in or len(self._out) > REPLIES:
            await self.flush()

    async def flush(self) -> None:
        """Hand the replies over, and wait while the client does not read them."""
        if self._writer.is_closing():
            raise ConnectionResetError
        data = bytes(self._out)
        self._out.clear()
        self._writer.write(self._tls.encrypted(data) if self._tls else data)
        if not self._line.get_write_buffer_size():
            return  # the kernel has it
        try:
            async with asyncio.timeout(self._timeout):
                await self._writer.drain()
        except TimeoutError:
            self.stuck = True
            raise Silent from None

    def farewell(self, text: str) -> None:
        """Say a last line without waiting, if the client waits for no answer."""
        if self.waiting and not self.quiet:
            data = text.encode("ascii") + b"\r\n"
            self._send(self._tls.encrypted(data) if self._tls else data)

    def close(self) -> None:
        """Close in order: what was said before still goes out."""
        if self._tls is not None:
            self._send(self._tls.closing())
        self._writer.close()


def _longest(chunk: bytes, before: int, limit: int) -> tuple[int, bool]:
    """Length of the line that `chunk` leaves open; whether one was over `limit`."""
    first = chunk.find(b"\n")
    if first < 0:
        open_line = before + len(chunk)
        return open_line, open_line > limit
    over = before + first + 1 > limit
    if not over and len(chunk) > limit:
        over = any(len(line) + 1 > limit for line in chunk.split(b"\n"))
    return len(chunk) - chunk.rfind(b"\n") - 1, over


def _unstuffed(data: bytes) -> bytes:
    """The content of `data`, which ends with the final dot's line."""
    content = data[:-3]
    if content.startswith(b"."):
        content = content[1:]
    # Only after CRLF: a dot after a bare LF or CR was not stuffed.
    return content.replace(b"\r\n.", b"\r\n") if b"\r\n." in content else content
