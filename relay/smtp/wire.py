"""The bytes of one SMTP connection: command lines and mail data in, replies out.

Bounded in memory and time, whatever the client does; knows no command.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable
from typing import TypeVar, cast

from relay.smtp.data import Collector, Data
from relay.smtp.memory import Share
from relay.smtp.tls import Tls, TlsError

T = TypeVar("T")

CHUNK = 65_536
# Replies collect while further commands are here already (RFC 2920), up to this;
# then the client has to read some before it is served on.
REPLIES = 65_536
# A handshake is a few kilobytes; who floods instead is cut off.
HANDSHAKE = 262_144


class Silent(Exception):  # noqa: N818 - a statement about the client
    """The client let its time go by."""


def _for_nobody(line: bytes) -> bool:
    """Answers nothing at once."""
    return False


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
        self._behind = False  # the client has not taken all of what was said
        self._live = False  # what arrives is worked on as it does
        self._enough = False  # what is waited for is here
        self._limit = 0
        self._at_once: Callable[[bytes], bool] = _for_nobody
        self._line_until = math.inf
        self._searched = 0  # so far there is no end of a line
        self._overlong = False
        self._found: bytes | None = None
        self._collector: Collector | None = None
        self._data_began = 0.0
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

    async def command(
        self, limit: int, at_once: Callable[[bytes], bool] = _for_nobody
    ) -> bytes | None:
        """The next line without its end; None when it is longer than `limit` bytes.

        A bare LF ends a command too, as old clients send it. `at_once` is asked
        first, as soon as a line is here: where it is True, it has answered. When it
        began the reading of mail data, `data` has to follow whatever is given here.
        """
        self._limit, self._at_once = limit, at_once
        self._new_line()
        await self._gather()
        line, self._found = self._found, None
        return line

    def begin_data(self, account: Share, *, size: int, line_length: int) -> None:
        """Take what comes from here on as mail data."""
        self._enough = False
        self._data_began = self._loop.time()
        self._collector = Collector(account, size=size, line_length=line_length)

    @property
    def in_data(self) -> bool:
        """Mail data is being read, or was and is not taken yet."""
        return self._collector is not None

    async def data(self) -> Data:
        """Mail data that was begun, up to its end.

        The whole may take `timeout` seconds plus one for each 50 kB that came.
        """
        if self._collector is None:
            raise RuntimeError("no mail data was begun")
        if not self._enough:
            await self._gather()
        if self._out:
            await self.flush()  # the go-ahead, where the data came without it
        taken = self._collector.taken()
        self._collector = None
        return taken

    async def _gather(self) -> None:
        """Work on what is here, and on all that comes, until there is enough."""
        self._enough = False
        self._work()
        while not self._enough:
            if len(self._out) > REPLIES:
                await self.flush()
            else:
                await self._fill()
            self._work()

    def _work(self) -> None:
        """Work on what is here: what can be done at once is done."""
        while not self._enough and self._collector is None:
            if len(self._out) > REPLIES:
                return
            end = self._in.find(b"\n", self._searched)
            if end < 0:
                if len(self._in) > self._limit + 2:
                    self._overlong = True
                    self._in.clear()
                self._searched = len(self._in)
                return
            line = bytes(self._in[:end]).removesuffix(b"\r")
            del self._in[: end + 1]
            if self._overlong or len(line) > self._limit:
                self._enough = True
            elif not self._at_once(line):
                self._found = line
                self._enough = True
            else:
                self._new_line()
        if self._in and self._collector is not None and not self._enough:
            chunk = bytes(self._in)
            self._in.clear()
            self._collect(self._collector, chunk)

    def _collect(self, collector: Collector, chunk: bytes) -> None:
        left = collector.feed(chunk)
        if left is not None:
            self._enough = True
            if left:
                self._in += chunk[-left:]

    def _new_line(self) -> None:
        self._searched = 0
        self._overlong = False
        # One deadline for a whole line: a drip of bytes is no complete command.
        self._line_until = self._loop.time() + self._timeout

    def _deadline(self) -> float:
        if self._collector is None:
            return self._line_until
        received = self._collector.received
        return self._data_began + self._timeout + received / 50_000

    async def _fill(self, deadline: float | None = None) -> None:
        """Wait for more; without a `deadline` it is worked on as soon as it is here."""
        if self._out or self._behind:
            await self.flush()
        live = deadline is None and self._tls is None
        if deadline is None:
            deadline = self._deadline()
        if self._tls is not None:
            self._in += await self._decrypted(self._tls, deadline)
        elif chunk := await self._read(deadline, live=live):
            self._in += chunk
        elif self._ended and not self._enough:
            raise EOFError

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

    async def _read(self, deadline: float, *, live: bool = False) -> bytes:
        """What has arrived, as it came; b"" when no more will.

        In a `live` wait it is worked on as it arrives, and b"" says no more than that
        this cannot go on.
        """
        if not self._arrived and not self._ended:
            self._until = deadline
            if self._clock is None or self._clock.when() > deadline:
                self._set_clock()
            self.waiting, self._live = True, live
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self.waiting = self._live = False
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
        if self._live:
            if self._go_on(data):
                return
        else:
            self._arrived += data
            if len(self._arrived) > CHUNK and not self._paused:
                self._paused = True
                self._line.pause_reading()
        self._wake()

    def _go_on(self, data: bytes) -> bool:
        """Work on what has come while the session waits; False: it has to go on.

        For most commands it has not, which saves a mail four turns of the loop.
        """
        try:
            if self._collector is not None and not self._in:
                self._collect(self._collector, data)
            else:
                self._in += data
                self._work()
        except Exception as error:  # noqa: BLE001 - the session's, as any other
            self._break(error)
            return True
        if self._enough or len(self._out) > REPLIES:
            return False
        if self._out:
            self._write_out()
        self._until = self._deadline()
        return not self._behind

    def ended(self) -> None:
        """Take in that the connection will bring no more."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._live = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, error: Exception) -> None:
        self._live = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

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
        else:
            self._break(Silent())

    def end(self) -> None:
        """Let go of the connection: nothing is waited for any more."""
        if self._clock is not None:
            self._clock.cancel()

    def _send(self, data: bytes) -> None:
        if data and not self._line.is_closing():
            self._line.write(data)

    def say(self, text: str) -> None:
        """Answer with what is sent next."""
        self._out += text.encode("ascii") + b"\r\n"

    async def reply(self, text: str) -> None:
        """Answer; sent at once unless the next command is here already."""
        self.say(text)
        if not self._in or len(self._out) > REPLIES:
            await self.flush()

    async def flush(self) -> None:
        """Hand the replies over, and wait while the client does not read them."""
        if self._line.is_closing():
            raise ConnectionResetError
        self._write_out()
        if not self._behind:
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._writer.drain()
        except TimeoutError:
            self.stuck = True
            raise Silent from None
        self._behind = False

    def _write_out(self) -> None:
        data = bytes(self._out)
        self._out.clear()
        self._line.write(self._tls.encrypted(data) if self._tls else data)
        self._behind = self._line.get_write_buffer_size() > 0  # else the kernel has it

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
