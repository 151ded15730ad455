"""An asyncio transport on a connected socket, with TLS by the socket itself.

asyncio's own TLS copies each byte through two buffers and a dozen calls, which a small
mail pays for (docs/performance.md, "What each step gave").
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque

# A record of TLS holds no more. A larger buffer would be made anew for each read.
_READ_BYTES = 16_384
# Unsent bytes from which the protocol is told to pause, and at which to go on.
_HIGH, _LOW = 65_536, 16_384
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError)
_NOT_NOW_WRITING = (*_NOT_NOW, ssl.SSLWantWriteError)


async def secured(
    sock: socket.socket, context: ssl.SSLContext, host: str
) -> ssl.SSLSocket:
    """Shake hands, without blocking; `sock` is this one's from here on.

    Raises OSError, of which ssl.SSLError says that it was not the connection's.
    """
    loop = asyncio.get_running_loop()
    secure = context.wrap_socket(
        sock, server_hostname=host, do_handshake_on_connect=False
    )
    try:
        while True:
            ready = loop.create_future()
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                add, remove = loop.add_reader, loop.remove_reader
            except ssl.SSLWantWriteError:
                add, remove = loop.add_writer, loop.remove_writer
            except ssl.SSLEOFError:
                raise ConnectionResetError("closed during the TLS handshake") from None
            else:
                return secure
            add(secure, _wake, ready)
            try:
                await ready
            finally:
                remove(secure)
    except BaseException:
        secure.close()
        raise


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class TlsSocket(asyncio.Transport):
    """Serves `protocol` with a connected socket that does not block."""

    def __init__(self, sock: socket.socket, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": sock})
        self._sock = sock
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[memoryview] = deque()
        self._size = 0  # of what is unsent
        self._paused = False
        self._closed = False
        self._loop.add_reader(sock, self._read)
        protocol.connection_made(self)

    def is_closing(self) -> bool:
        return self._closed

    def abort(self) -> None:
        """Close at once; what was not written is dropped."""
        self._close(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write what the kernel takes now, and the rest as soon as it does."""
        if self._closed:
            return
        if not self._unsent:
            data = self._sent(memoryview(data))
            if not data:
                return
            self._loop.add_writer(self._sock, self._write)
        self._unsent.append(memoryview(data))
        self._size += len(data)
        if self._size > _HIGH and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def _sent(self, data: memoryview) -> memoryview:
        """Write; what is left is to be written again, the very same bytes first."""
        try:
            while data:
                data = data[self._sock.send(data) :]
        except _NOT_NOW_WRITING:
            pass
        except OSError as error:
            self._close(error)
            return data[:0]
        return data

    def _write(self) -> None:
        while self._unsent:
            data = self._unsent[0]
            left = self._sent(data)
            if self._closed:
                return
            self._size -= len(data) - len(left)
            if left:
                self._unsent[0] = left
                break
            self._unsent.popleft()
        else:
            self._loop.remove_writer(self._sock)
        if self._paused and self._size <= _LOW:
            self._paused = False
            self._protocol.resume_writing()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except (*_NOT_NOW, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._close(error)
            return
        if data:
            # A record may hold more than the protocol was given, and the kernel
            # does not tell of what TLS has read already: but it reads one record
            # at a time, and no record is larger than the buffer.
            self._protocol.data_received(data)
        else:
            self._protocol.eof_received()
            self._close(None)

    def _close(self, error: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._unsent.clear()
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        self._sock.close()
        self._protocol.connection_lost(error)
