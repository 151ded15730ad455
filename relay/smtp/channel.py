"""The bytes between a client and its session: waited for, sent, and in TLS or not.

Every wait has a deadline and every buffer a bound; knows neither commands nor mail.
"""

from __future__ import annotations

import asyncio
import math
import ssl

from relay.smtp.tls import Tls, TlsError

CHUNK = 65_536
# Replies collect while further commands are here already (RFC 2920), up to this;
# then the client has to read some before it is served on.
REPLIES = 65_536
# A handshake is a few kilobytes; who floods instead is cut off.
HANDSHAKE = 262_144


class Silent(Exception):  # noqa: N818 - a statement about the client
    """The client let its time go by."""


class Channel:
    """One client's bytes, in both directions; what they say is read by `Wire`.

    `Wire` is a subclass, and not a reader with a channel of its own, because each
    command passes here and a step more would be paid for each.

    Raises `Silent` when the client's time is over, EOFError when no more will
    come, and ConnectionError when nobody is there to be answered.
    """

    def __init__(
        self,
        line: asyncio.Transport,
        *,
        timeout: float,
    ) -> None:
        self._line = line
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._until = math.inf  # the end of the wait under way
        self._clock: asyncio.TimerHandle | None = None
        self._arrived = bytearray()  # as it came, in TLS or not
        self._ended = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._in = bytearray()  # what it says, and nobody has read yet
        self._out = bytearray()
        self._behind = False  # the client has not taken all of what was said
        self._room: asyncio.Future[None] | None = None  # while it has taken too little
        self._live = False  # what arrives is worked on as it does
        self._tls: Tls | None = None
        self.waiting = False  # for the client's next bytes, with nothing unanswered
        self.stuck = False  # the client does not read its replies
        self.quiet = False  # what the client would read is not SMTP yet

    @property
    def tls(self) -> str:
        """The version of TLS in use, or ""."""
        return self._tls.version if self._tls else ""

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
        """Work on what has come while the session waits; False: it has to go on."""
        raise NotImplementedError  # who reads says what there is to do

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

    # One clock for all waits, which looks again when it is too early: an
    # asyncio.timeout() for each would be paid for with each command of each mail.

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

    def pause(self) -> None:
        """Take in that much of what was said is not sent yet."""
        self._room = self._loop.create_future()

    def resume(self) -> None:
        """Take in that most of it is, or that it never will be."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def end(self) -> None:
        """Let go of the connection: nothing is waited for any more."""
        if self._clock is not None:
            self._clock.cancel()
        self._line.close()

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
        if self._room is not None:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._room
            except TimeoutError:
                self.stuck = True
                raise Silent from None
            if self._line.is_closing():
                raise ConnectionResetError
        self._behind = False

    def _write_out(self) -> None:
        if not self._out:
            return
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
        self._line.close()
