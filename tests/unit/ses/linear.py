"""Work that takes twice as long, not four times, for twice as much."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SIZE = 250_000
_FACTOR = 3.5  # between 2, which is linear, and 4
_TOO_LITTLE = 0.005  # seconds that no clock tells apart


def assert_linear(made: Callable[[int], T], work: Callable[[T], object]) -> None:
    """Compare the time for an input of SIZE with that for one of half of it."""
    half, whole = (_least(made(size), work) for size in (SIZE // 2, SIZE))
    assert whole < max(half * _FACTOR, _TOO_LITTLE)


def _least(given: T, work: Callable[[T], object]) -> float:
    times = []
    for _ in range(5):
        began = time.process_time()
        work(given)
        times.append(time.process_time() - began)
        if times[-1] > 2:
            break  # no repetition makes that short
    return min(times)
