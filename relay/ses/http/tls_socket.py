"""An asyncio transport on a connected socket, with TLS by the socket itself.

asyncio's own TLS copies each byte through two buffers and a dozen calls, which a small
mail pays for (docs/performance.md, "What each step gave").
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from relay.system.socket_transport import SocketTransport


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


class TlsSocket(SocketTransport):
    """Serves `protocol` with a socket that has shaken hands and does not block."""

    # A record of TLS holds no more, and a larger buffer would be made anew for each
    # read. A record may hold more than the protocol was given, and the kernel does not
    # tell of what TLS has read already: but it reads one record at a time, and no
    # record is larger than the buffer.
    read_bytes = 16_384
    not_now = (
        *SocketTransport.not_now,
        ssl.SSLWantReadError,
        ssl.SSLWantWriteError,
    )

    def _end_of_file(self) -> None:
        self._protocol.eof_received()
        self.abort()
