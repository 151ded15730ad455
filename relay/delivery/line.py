"""The line of mail without a queue: whose client waits for a call and for the pace.

By priority, then in the order of its coming; none waits behind a higher one for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque

from relay.delivery.pace import Pace
from relay.model.mail import Priority
from relay.model.replies import TOO_FAST, TOO_MANY_CALLS
from relay.model.reply import Reply
from relay.queue.turns import Turns


class _Place:
    """One mail in the line."""

    __slots__ = ("recipients", "turn")

    def __init__(self, recipients: int) -> None:
        self.recipients = recipients
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Line:
    """Lets mail out while fewer than `calls` are under way, as `pace` allows.

    Times are those of the running loop's clock.
    """

    def __init__(self, pace: Pace, calls: int) -> None:
        self._pace = pace
        self._free = calls
        self._turns = Turns()
        self._waiting = 0  # the places; mostly there is none, and nothing to look for
        self._places: dict[Priority, deque[_Place]] = {
            priority: deque() for priority in Priority
        }
        self._timer: asyncio.TimerHandle | None = None

    async def wait(
        self, priority: Priority, recipients: int, *, before: float
    ) -> Reply | None:
        """Wait for its turn, which has to `leave`; or what stood in the way."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        ready_in = self._pace.ready_in(now)
        if self._free and not ready_in and not self._waiting:
            self._free -= 1
            self._pace.take(recipients, now)
            return None
        if now + ready_in > before:
            return TOO_FAST
        place = _Place(recipients)
        self._places[priority].append(place)
        self._waiting += 1
        self._look()
        try:
            async with asyncio.timeout_at(before):
                await place.turn
        except TimeoutError:
            if not self._gone(priority, place):
                return None  # its turn came in the same moment
            return TOO_FAST if self._free else TOO_MANY_CALLS
        except BaseException:
            if not self._gone(priority, place):
                self._pace.give_back(recipients)
                self.leave()
            raise
        return None

    def leave(self) -> None:
        """End a call."""
        self._free += 1
        if self._waiting:
            self._look()

    def _gone(self, priority: Priority, place: _Place) -> bool:
        """Take it out of the line; False: it had its turn already."""
        if place.turn.done() and not place.turn.cancelled():
            return False
        if place in self._places[priority]:
            self._places[priority].remove(place)
            self._waiting -= 1
        return True

    def _look(self) -> None:
        """Give turns while there are any to give."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._free and (waiting := [p for p in Priority if self._places[p]]):
            now = loop.time()
            if ready_in := self._pace.ready_in(now):
                self._timer = loop.call_later(ready_in, self._look)
                return
            place = self._places[self._turns.take(waiting)].popleft()
            self._waiting -= 1
            if place.turn.cancelled():
                continue  # its time was over just now
            self._free -= 1
            self._pace.take(place.recipients, now)
            place.turn.set_result(None)
