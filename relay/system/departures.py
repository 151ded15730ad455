"""What sockets are to send, held until the end of a turn of the loop.

A peer on the same machine sleeps again between two of our writes, and to wake it is
what most of a write costs. Of writes that follow one another the first alone wakes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Departures:
    """Calls all who have something to send, at the end of the turn, in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Callable[[], None]] = []

    def add(self, send: Callable[[], None]) -> None:
        """Have `send` called, once."""
        if not self._waiting:
            self._loop.call_soon(self._leave)
        self._waiting.append(send)

    def _leave(self) -> None:
        waiting, self._waiting = self._waiting, []
        for send in waiting:
            try:
                send()
            except Exception as error:  # noqa: BLE001 - no other's, as in the loop
                self._loop.call_exception_handler(
                    {"message": "writing failed", "exception": error}
                )
