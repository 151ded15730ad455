"""Who is compared next, where comparing a password is dear: turns, shared out fairly.

Knows no password; what a turn is used for is its taker's.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """At most `at_once` turns under way; of the rest, each address has one in its time.

    Addresses with wrong guesses behind them have a line of their own: they get at
    most all turns but one, and one while others wait. So however many guess, who has
    not guessed wrong waits for a turn under way, and who has, for one of each address.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._under_way = {False: 0, True: 0}  # by `suspect`
        self._waiting: dict[bool, OrderedDict[str, deque[asyncio.Future[None]]]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }

    @asynccontextmanager
    async def turn(self, origin: str, *, suspect: bool) -> AsyncIterator[None]:
        """Wait for a turn of this address, and have it; `suspect`: it guessed wrong."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[suspect].setdefault(origin, deque()).append(granted)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.cancelled():
                self._forget(origin, granted, suspect=suspect)
            else:
                self._end(suspect=suspect)
            raise
        try:
            yield
        finally:
            self._end(suspect=suspect)

    def _end(self, *, suspect: bool) -> None:
        self._under_way[suspect] -= 1
        self._grant()

    def _grant(self) -> None:
        while sum(self._under_way.values()) < self._at_once:
            suspect = self._next()
            if suspect is None:
                return
            waiting = self._waiting[suspect]
            origin, line = waiting.popitem(last=False)
            granted = line.popleft()
            if line:
                waiting[origin] = line  # behind all other addresses
            if granted.cancelled():
                continue
            self._under_way[suspect] += 1
            granted.set_result(None)

    def _next(self) -> bool | None:
        """Which of the two lines has the next turn; None: nobody who may."""
        suspects = self._under_way[True]
        may = bool(self._waiting[True]) and suspects < max(self._at_once - 1, 1)
        if not self._waiting[False]:
            return True if may else None
        return may and not suspects and self._under_way[False] > 0

    def _forget(
        self, origin: str, granted: asyncio.Future[None], *, suspect: bool
    ) -> None:
        line = self._waiting[suspect].get(origin)
        if line and granted in line:
            line.remove(granted)
            if not line:
                del self._waiting[suspect][origin]
