"""Standstills of the machine: time that passed and in which no test ran.

A machine that is paused, or whose disk or memory is late, makes every patience end at
once. The end of a run tells of it, so that what failed by it is known.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

STEP = 0.25  # seconds
LONG = 3.0  # seconds; a busy machine lets a thread wait for so long


class Standstills(threading.Thread):
    """Watches from its start on; `seen` are those of `LONG` and more."""

    def __init__(self) -> None:
        super().__init__(name="standstills", daemon=True)
        self.seen: list[tuple[datetime, float]] = []  # the end, in UTC; seconds

    def run(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(STEP)
            now = time.monotonic()
            if now - before - STEP > LONG:
                self.seen.append((datetime.now(UTC), now - before - STEP))
            before = now

    def __str__(self) -> str:
        return ", ".join(
            f"{seconds:.0f} s until {end:%H:%M:%S}" for end, seconds in self.seen
        )
