"""An asyncio transport on a connected socket.

asyncio's own asks the loop for a task, two turns and a look at the socket's name for
each connection, and takes twice as long to make and end one
(docs/performance.md, "What each step gave").
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from relay.system.arrivals import Arrivals

# Unsent bytes from which the protocol is told to pause, and at which to go on.
_HIGH, _LOW = 65_536, 16_384
# More than this is sent in several pieces, of which the first wakes its reader.
_AT_ONCE = 16_384
_NOBODY = asyncio.Protocol()


class SocketTransport(asyncio.Transport):
    """Serves `protocol` with a connected socket that does not block."""

    read_bytes: ClassVar[int] = 262_144
    not_now: ClassVar[tuple[type[Exception], ...]] = (
        BlockingIOError,
        InterruptedError,
    )

    def __init__(
        self,
        sock: socket.socket,
        protocol: asyncio.Protocol,
        *,
        arrivals: Arrivals,
        peer: Any = None,  # noqa: ANN401 - as accept() gives it
        closed: Callable[[], None] | None = None,
    ) -> None:
        """`arrivals` calls when something can be read; `closed` is told of the end."""
        super().__init__({"socket": sock, "peername": peer})
        self._sock = sock
        self._fd = sock.fileno()
        self._protocol = protocol
        self._arrivals = arrivals
        self._loop = arrivals.loop
        self._unsent: deque[bytes | bytearray | memoryview] = deque()
        self._size = 0  # of what is unsent
        self._departs = False  # it is sent at the end of the turn
        self._blocked = False  # it is sent when the kernel takes more
        self._paused = False
        self._reading = True
        self._closing = False
        self._lost = False
        self._closed = closed
        protocol.connection_made(self)
        if self.is_reading():
            self._arrivals.add(self._fd, self._read)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel did not take; what it was not given yet is none."""
        return self._size if self._blocked else 0

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self.is_reading():
            self._reading = False
            self._arrivals.remove(self._fd)

    def resume_reading(self) -> None:
        """Read again."""
        if not self._closing and not self._reading:
            self._reading = True
            self._arrivals.add(self._fd, self._read)

    def close(self) -> None:
        """Read no more, and close when all that was written is sent."""
        if self._closing:
            return
        self.pause_reading()
        self._closing = True
        if not self._blocked:
            self._send()

    def abort(self) -> None:
        """Close at once; what was not sent is dropped."""
        self._lose(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send at the end of this turn of the loop, or at once where it is much.

        `data` is not copied, and must not change before.
        """
        if self._closing:
            return
        self._unsent.append(data)
        self._size += len(data)
        if self._blocked:
            self._pause()
        elif self._size > _AT_ONCE:
            self._send()
        elif not self._departs:
            self._departs = True
            self._arrivals.departures.add(self._depart)

    def _depart(self) -> None:
        self._departs = False
        if self._unsent and not self._blocked:
            self._send()

    def _send(self) -> None:
        self._send_on()
        if self._unsent:
            self._blocked = True
            self._loop.add_writer(self._fd, self._send_on)
            self._pause()

    def _pause(self) -> None:
        if self._size > _HIGH and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def _send_on(self) -> None:
        """Send what the kernel takes now; of the rest the very same bytes first."""
        unsent = self._unsent
        while unsent:
            data = unsent[0]
            try:
                count = self._sock.send(data)
            except self.not_now:
                break
            except OSError as error:
                self._lose(error)
                return
            self._size -= count
            if count < len(data):
                unsent[0] = memoryview(data)[count:]
            else:
                unsent.popleft()
        else:
            if self._blocked:
                self._unblock()
            if self._closing:
                self._lose(None)
                return
        if self._paused and self._size <= _LOW:
            self._paused = False
            self._protocol.resume_writing()

    def _unblock(self) -> None:
        self._blocked = False
        self._loop.remove_writer(self._fd)

    def _read(self) -> None:
        try:
            data = self._sock.recv(self.read_bytes)
        except self.not_now:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._end_of_file()

    def _end_of_file(self) -> None:
        """The other side sends no more; the protocol says whether it is served on."""
        self.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self.pause_reading()
        self._closing = self._lost = True
        self._unsent.clear()
        self._size = 0
        if self._blocked:
            self._unblock()
        self._loop.call_soon(self._tell, error)

    def _tell(self, error: Exception | None) -> None:
        self._sock.close()
        if self._closed is not None:
            self._closed()
        # As asyncio's own does: most protocols hold their transport, and would stay
        # until the garbage collector looks at the two.
        protocol, self._protocol = self._protocol, _NOBODY
        protocol.connection_lost(error)
