"""Takes clients at a listening socket, of many at once some after the others."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from relay.system.socket_transport import SocketTransport
from relay.system.sockets import AT_ONCE, BACKLOG

# The machine has too little for one more: clients wait, and are looked for again soon.
_NO_MEANS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_AGAIN_AFTER = 1.0  # seconds


class Acceptor:
    """Makes a protocol for each client, and serves it with a transport."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], sock: socket.socket
    ) -> None:
        self._protocol = protocol
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._at_once = 1
        self._again: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        # A client's socket has it from this one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.listen(BACKLOG)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Take no more clients."""
        if self._sock.fileno() < 0:
            return
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> None:
        """Take some; the more when the last turn did not find the end of the line.

        To look for one who is not there costs as much as half a client.
        """
        for _ in range(self._at_once):
            try:
                client, peer = self._sock.accept()
            except BlockingIOError:
                self._at_once = 1
                return
            except OSError as error:
                if error.errno in _NO_MEANS:
                    self._wait(error)
                # Else it was that client's connection alone (accept(2)).
                return
            self._serve(client, peer)
        self._at_once = min(self._at_once * 2, AT_ONCE)

    def _serve(self, client: socket.socket, peer: object) -> None:
        try:
            client.setblocking(False)
            SocketTransport(client, self._protocol(), peer=peer)
        except BaseException:
            client.close()
            raise

    def _wait(self, error: OSError) -> None:
        self._loop.call_exception_handler(
            {"message": "no client can be taken now", "exception": error}
        )
        self._loop.remove_reader(self._sock)
        self._again = self._loop.call_later(
            _AGAIN_AFTER, self._loop.add_reader, self._sock, self._accept
        )
