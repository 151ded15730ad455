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
        """Count one less; told by the protocol whose connection is lost."""
        self.inside -= 1
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

    `protocol` makes what talks to a client of this address, and tells `crowd` when
    its connection is lost.
    """

    def __init__(
        self,
        protocol: Callable[[Address], asyncio.BaseProtocol],
        sock: socket.socket,
        crowd: Crowd,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._sock = sock
        self._crowd = crowd
        self._coming: set[asyncio.Task[None]] = set()
        self._closed = False
        self.turn = next(_turns)  # when somebody came in last
        sock.setblocking(False)
        self.open()

    @property
    def busy(self) -> bool:
        """Whether somebody came in who has no protocol yet."""
        return bool(self._coming)

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

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            if self._crowd.full:
                self._loop.remove_reader(self._sock)
                self._crowd.wait(self)
                return
            try:
                client, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NONE_LEFT:
                    raise
                self._loop.remove_reader(self._sock)
                self._loop.call_later(RETRY_SECONDS, self.open)
                self._loop.call_exception_handler(
                    {"message": "no client can be taken", "exception": error}
                )
                return
            self.turn = next(_turns)
            self._crowd.enter()
            task = self._loop.create_task(self._welcome(client, address))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def _welcome(self, client: socket.socket, address: Address) -> None:
        try:
            protocol = self._protocol(address)
        except BaseException:
            client.close()
            self._crowd.leave()
            raise
        await self._loop.connect_accepted_socket(lambda: protocol, client)
