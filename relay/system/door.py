"""The doors by which clients come in, and how many may be inside at one time.

Who is not served, because there are too many, has a file as well until it is closed,
some turns of the loop after it came. asyncio's own server takes all who wait, at each
door and in each of these turns, and so the files that other work needs.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from itertools import count
from typing import Any

from relay.system.arrivals import Arrivals
from relay.system.socket_transport import SocketTransport

# So many come in one after the other before the loop does something else.
AT_ONCE = 50
RETRY_SECONDS = 1.0  # while no file is left for anybody
_NONE_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Address = tuple[Any, ...]  # as `accept` gives it: host, port, and IPv6's two

_turns = count()


class Crowd:
    """Who came in by some doors and has not left yet, at most `most` at one time.

    While it is full its doors are shut, and who comes waits in the kernel.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.inside = 0
        self._shut: list[Door] = []

    @property
    def full(self) -> bool:
        """Whether nobody more may come in."""
        return self.inside >= self.most

    def enter(self) -> None:
        """Count one more; told by the door."""
        self.inside += 1

    def leave(self) -> None:
        """Count one less; told by the transport that is closed."""
        self.inside -= 1
        self._open_again()

    def take(self, most: int) -> None:
        """Let so many in from now on; who is inside stays."""
        self.most = most
        self._open_again()

    def _open_again(self) -> None:
        if self._shut:
            # Each has its turn: the one that let nobody in for longest goes first.
            shut, self._shut = sorted(self._shut, key=lambda door: door.turn), []
            for door in shut:
                door.open()

    def wait(self, door: Door) -> None:
        """Have `door` opened when somebody leaves."""
        self._shut.append(door)


class Door:
    """Takes clients at the listening `sock`, which is its own from here on.

    `protocol` makes what talks to a client; `crowd` counts it until its connection is
    closed.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        sock: socket.socket,
        crowd: Crowd,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._sock = sock
        self._crowd = crowd
        self._arrivals = Arrivals()
        self._closed = False
        self._at_once = 1
        self.turn = next(_turns)  # when somebody came in last
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            # Else a reply may wait until the client confirms the last one. A client's
            # socket has it from this one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open()

    def open(self) -> None:
        """Let clients in, unless it is closed for good."""
        if not self._closed:
            self._loop.add_reader(self._sock, self._take)

    def close(self) -> None:
        """Let nobody in any more; who is inside stays."""
        if not self._closed:
            self._closed = True
            if self._sock.fileno() >= 0:
                self._loop.remove_reader(self._sock)
            self._sock.close()
            self._arrivals.end()

    def _take(self) -> None:
        """Let some in; the more when the last time somebody was still waiting.

        To look for one who is not there costs as much as half a client.
        """
        for _ in range(self._at_once):
            if self._crowd.full:
                self._loop.remove_reader(self._sock)
                self._crowd.wait(self)
                return
            try:
                client, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._at_once = 1
                return
            except OSError as error:
                if error.errno not in _NONE_LEFT:
                    raise
                self._wait(error)
                return
            self._welcome(client, address)
        self._at_once = min(2 * self._at_once, AT_ONCE)

    def _welcome(self, client: socket.socket, address: Address) -> None:
        self.turn = next(_turns)
        self._crowd.enter()
        try:
            client.setblocking(False)
            SocketTransport(
                client,
                self._protocol(),
                arrivals=self._arrivals,
                peer=address,
                closed=self._crowd.leave,
            )
        except BaseException:
            client.close()
            self._crowd.leave()
            raise

    def _wait(self, error: OSError) -> None:
        self._loop.remove_reader(self._sock)
        self._loop.call_later(RETRY_SECONDS, self.open)
        self._loop.call_exception_handler(
            {"message": "no client can be taken", "exception": error}
        )
