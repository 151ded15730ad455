"""The clock of `stats`: how late the event loop is, and when a point ends."""

from __future__ import annotations

import asyncio
import time

from relay.observe.ring import POINT
from relay.observe.stats import Stats

BEAT = 0.25  # seconds


class Heartbeat:
    """Feeds `stats` with what no event tells."""

    name = "heartbeat"

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    async def run(self, stopping: asyncio.Event) -> None:
        """Beat until told to stop."""
        loop = asyncio.get_running_loop()
        next_point = loop.time() + POINT
        while not stopping.is_set():
            asked = loop.time() + BEAT
            try:
                async with asyncio.timeout_at(asked):
                    await stopping.wait()
            except TimeoutError:
                self._stats.lagged(max(loop.time() - asked, 0.0))
            if loop.time() >= next_point:
                # One point for a long standstill: what happened in it belongs there.
                next_point = max(next_point + POINT, loop.time())
                self._stats.tick(time.time())
