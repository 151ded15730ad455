"""How long clients wait for SES' answer: one clock for all of them.

Nearly every mail is answered in time, and would have set a timer for nothing.
"""

from __future__ import annotations

import asyncio
import math


class Patience:
    """Ends the waits whose time is over, each at its own time."""

    def __init__(self) -> None:
        self._until: dict[asyncio.Future[None], float] = {}
        self._clock: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    async def wait(self, over: asyncio.Future[None], seconds: float) -> None:
        """Return when `over` is done, which it is after `seconds` at the latest."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self._until[over] = until
        if until < self._looks_at:
            self._look_at(until, loop)
        try:
            await over
        finally:
            del self._until[over]

    def _look_at(self, at: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._looks_at = at
        self._clock = loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is to end by now, and look again when the next may have to."""
        self._clock, self._looks_at = None, math.inf
        now, first = loop.time(), math.inf
        for over, until in self._until.items():
            if until > now:
                first = min(first, until)
            elif not over.done():
                over.set_result(None)
        if first < math.inf:
            self._look_at(first, loop)
