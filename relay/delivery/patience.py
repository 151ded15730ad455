"""How long clients wait for SES' answer: one clock for all of them.

Nearly every mail is answered in time, and would have set a timer for nothing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from relay.system.handover import Wait


class Patience:
    """Ends the waits whose time is over, each at its own time; `now` tells the time."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[Wait, float] = {}
        self._clock: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    async def wait(self, over: Wait, until: float) -> None:
        """Return when `over` is done, at the latest at `until`."""
        self.begin(over, until)
        try:
            await over
        finally:
            self.end(over)

    def begin(self, wait: Wait, until: float) -> None:
        """Give `wait` up at `until`."""
        self._until[wait] = until
        if until < self._looks_at:
            self._look_at(until, wait.get_loop())

    def end(self, wait: Wait) -> None:
        """Forget it."""
        del self._until[wait]

    def _look_at(self, at: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._looks_at = at
        self._clock = loop.call_later(at - self._now(), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is to end by now, and look again when the next may have to."""
        self._clock, self._looks_at = None, math.inf
        now, first = self._now(), math.inf
        for wait, until in self._until.items():
            if until > now:
                first = min(first, until)
            else:
                wait.give_up()
        if first < math.inf:
            self._look_at(first, loop)
