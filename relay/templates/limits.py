"""What a template may take for a mail, and what becomes of one that runs away.

A thread cannot be stopped from outside, so all that a template does is counted before
it is done: steps of loops, the size of what is made, and time. On the event loop, where
others wait, it may take a hundredth of the time; a mail that needs more is begun again
in a thread.
"""

from __future__ import annotations

import asyncio
import time

MOST_BYTES = 1_000_000  # characters of a value, and of all that a text becomes
MOST_STEPS = 100_000
MOST_SECONDS = 0.5
ON_THE_LOOP = 0.005
MOST_DEPTH = 50  # macros that call each other
MOST_NESTED = 100  # lists in lists
MOST_BITS = 20_000  # of an integer

# Work is counted in bytes that are gone through once, the dearest measured.
_WORK_PER_SECOND = 100_000_000
_LOOK_EVERY = 20_000


class RanAway(Exception):  # noqa: N818 - what a template did
    """A template exceeded a limit; the text says which."""


class TakesLong(Exception):  # noqa: N818
    """It takes too long for the event loop, where it was tried."""


class Budget:
    """What one rendering has left."""

    def __init__(self) -> None:
        self._steps = MOST_STEPS
        self._work = 0
        self._look_at = _LOOK_EVERY
        self.depth = 0
        self._hurried = _on_the_loop()
        # On the loop others wait for the wall clock; a thread's own time is fair where
        # many threads run.
        self._clock = time.perf_counter if self._hurried else time.thread_time
        self._end = self._clock() + (ON_THE_LOOP if self._hurried else MOST_SECONDS)

    def step(self, number: int = 1) -> None:
        """Count steps of a loop. Raises RanAway."""
        self._steps -= number
        if self._steps < 0:
            raise RanAway(f"more than {MOST_STEPS:,} steps of loops")
        self.work(20 * number)

    def work(self, number: int) -> None:
        """Count what is gone through, before it is. Raises RanAway and TakesLong."""
        self._work += number
        if self._work >= self._look_at:
            self._look(number)

    def finish(self, number: int) -> None:
        """Look at what is left to do with all that was made. Raises TakesLong."""
        if self._hurried:
            self.work(number)

    def size(self, number: int) -> None:
        """Look at the size of a value before it is made. Raises RanAway."""
        if number > MOST_BYTES:
            raise RanAway(f"more than {MOST_BYTES:,} characters")
        self.work(number)

    def called(self) -> None:
        """Count a call from inside another. Raises RanAway."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise RanAway(f"more than {MOST_DEPTH} calls inside each other")

    def _look(self, number: int) -> None:
        self._look_at = self._work + _LOOK_EVERY
        left = self._end - self._clock()
        if left < number / _WORK_PER_SECOND:
            if self._hurried:
                raise TakesLong
            raise RanAway(f"more than {MOST_SECONDS:g} s")


def _on_the_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
