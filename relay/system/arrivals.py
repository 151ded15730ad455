"""Sockets with something to read, told to who reads them, past the loop's selector.

asyncio makes a key, a handle and a run in a context of each, which a mail pays seven
times and its connection twice more (docs/performance.md, "What each step gave").
The loop is asked for one file here, behind which the kernel looks after all of them.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable

from relay.system.departures import Departures


class Arrivals:
    """Calls back whoever has something to read; the loop's own where there is no epoll.

    A callback is called again until all is read, or until it is taken out. What the
    same sockets send leaves by `departures`.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.departures = Departures(self.loop)
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._ended = False
        self._open = False
        self._begin()

    def add(self, fd: int, callback: Callable[[], None]) -> None:
        """Have `callback` called while there is something to read, or an end to see."""
        if not self._open:  # one who paused reads on, after the end
            self._begin()
        self._callbacks[fd] = callback
        if sys.platform == "linux":
            self._epoll.register(fd, select.EPOLLIN)
        else:
            self.loop.add_reader(fd, callback)

    def remove(self, fd: int) -> None:
        """Call back no more, from now on; before `fd` is closed."""
        if self._callbacks.pop(fd, None) is None:
            return
        if sys.platform == "linux":
            self._epoll.unregister(fd)
        else:
            self.loop.remove_reader(fd)
        if self._ended and not self._callbacks:
            self._close()

    def end(self) -> None:
        """Hold no file open from here on, but while somebody reads."""
        self._ended = True
        if self._open and not self._callbacks:
            self._close()

    def _begin(self) -> None:
        if sys.platform == "linux":
            self._epoll = select.epoll()
            self.loop.add_reader(self._epoll.fileno(), self._look)
        self._open = True

    def _close(self) -> None:
        if sys.platform == "linux":
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._open = False

    if sys.platform == "linux":

        def _look(self) -> None:
            for fd, _ in self._epoll.poll(0):
                # One that was called before it may have taken it out.
                callback = self._callbacks.get(fd)
                if callback is None:
                    continue
                try:
                    callback()
                except Exception as error:  # noqa: BLE001 - no other's, as in the loop
                    self.loop.call_exception_handler(
                        {"message": "reading failed", "exception": error}
                    )
