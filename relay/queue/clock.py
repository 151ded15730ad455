"""The spool's clock: seconds that pass as they do, whatever is done to the system's.

It follows Unix time, but a clock that is set back or forward while the relay runs
moves only the distance between the two, so no mail waits longer or ends sooner.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from functools import partial

# A slew is followed silently; more than this at once is a step.
STEP = 1.0
# Counts while the machine sleeps, where the system has it.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


# Seconds since some moment; only forward, and through a machine's sleep.
steady: Callable[[], float] = partial(time.clock_gettime, _STEADY)


class Clock:
    """Tells the spool's time; `ahead` is what Unix time is ahead of it."""

    def __init__(
        self,
        *,
        ahead: float = 0.0,
        seen: float = 0.0,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._wall, self._steady = wall, steady
        # A clock that was set back while nobody looked: go on where time was.
        self.ahead = min(ahead, wall() - seen) if seen else ahead
        self._base = wall() - self.ahead - steady()

    def now(self) -> float:
        """Seconds of this clock; only forward."""
        return self._base + self._steady()

    def follow(self) -> float:
        """Take in what was done to the system's clock; give the step, 0.0 for none."""
        step = self._wall() - self.ahead - self.now()
        if abs(step) < STEP:
            return 0.0
        self.ahead += step
        return step


def clock_of(connection: sqlite3.Connection) -> Clock:
    """The clock of a spool; it has seen what was noted, and its newest mail come."""
    # What is no number counts as none: mail is worth more than its place in time.
    ahead, seen, newest = connection.execute(
        "SELECT CAST(coalesce((SELECT ahead FROM clock), 0) AS REAL),"
        " CAST(coalesce((SELECT seen FROM clock), 0) AS REAL),"
        " CAST(coalesce((SELECT accepted_at FROM job"
        " WHERE seq = (SELECT max(seq) FROM job)), 0) AS REAL)"
    ).fetchone()
    return Clock(ahead=ahead, seen=max(seen, newest))
