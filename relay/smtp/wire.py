"""What a client says over its channel: command lines and mail data, read as they come.

Bounded in memory and time, whatever the client does; knows no command.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TypeVar

from relay.smtp.channel import REPLIES, Channel
from relay.smtp.data import Collector, Data
from relay.smtp.memory import Share

T = TypeVar("T")


def _for_nobody(line: bytes) -> bool:
    """Answers nothing at once."""
    return False


class Wire(Channel):
    """Reads one client's commands and mail; every wait ends after `timeout` seconds.

    Raises what `Channel` raises.
    """

    def __init__(
        self,
        line: asyncio.Transport,
        *,
        timeout: float,
    ) -> None:
        super().__init__(line, timeout=timeout)
        self._enough = False  # what is waited for is here
        self._limit = 0
        self._at_once: Callable[[bytes], bool] = _for_nobody
        self._line_until = math.inf
        self._searched = 0  # so far there is no end of a line
        self._overlong = False
        self._found: bytes | None = None
        self._collector: Collector | None = None
        self._data_began = 0.0

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
            else:
                self._take_line(line)
        if self._in and self._collector is not None and not self._enough:
            chunk = bytes(self._in)
            self._in.clear()
            self._collect(self._collector, chunk)

    def _take_line(self, line: bytes) -> None:
        """Have a command answered, now or by the session."""
        if self._at_once(line):
            self._new_line()
        else:
            self._found = line
            self._enough = True

    def _collect(self, collector: Collector, chunk: bytes) -> None:
        left = collector.feed(chunk)
        if left is not None:
            self._enough = True
            if left:
                self._in += chunk[-left:]

    def end(self) -> None:
        super().end()
        self._at_once = _for_nobody  # else the dialog's, which holds this wire

    def now(self) -> float:
        """The time, by the clock of its deadlines."""
        return self._loop.time()

    def silent_for(self) -> float:
        """How long the client has been expected to say its next command."""
        return self._loop.time() - (self._line_until - self._timeout)

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

    def _go_on(self, data: bytes) -> bool:
        """Work on what has come while the session waits; False: it has to go on.

        For most commands it has not, so they wake no task.
        """
        try:
            alone = not (self._in or self._overlong)
            if alone and self._collector is not None:
                self._collect(self._collector, data)
            elif alone and data.find(b"\n") == len(data) - 1 <= self._limit:
                # A command alone, as most come, need not go through the buffer.
                self._take_line(data[:-1].removesuffix(b"\r"))
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


def taken_apart(line: bytes) -> tuple[bytes, str]:
    """The verb of a command line, in upper case, and its argument."""
    words = line.split(None, 1)
    if len(words) < 2:
        return (words[0].upper() if words else b""), ""
    # surrogateescape: what is not UTF-8 is no address, and is found there.
    return words[0].upper(), words[1].decode("utf-8", "surrogateescape").strip()
