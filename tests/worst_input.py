"""Whether twice the input takes twice the time: for what clients and SES write."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SIZE = 250_000  # characters; what is nearly a mail's whole header
# Quadratic time makes four of one.
MOST = 3.5
# Less than this is noise of the machine, and nobody waits for it.
NOTHING = 0.004


def is_linear(work: Callable[[T], object], make: Callable[[int], T]) -> bool:
    """Compare the processor time of `make(SIZE)` with that of its half."""
    whole, half = make(SIZE), make(SIZE // 2)
    least_whole = least_half = math.inf
    for _ in range(6):  # the machine may have been at something else
        least_whole = min(least_whole, _time(work, whole))
        least_half = min(least_half, _time(work, half))
        if least_whole <= MOST * least_half + NOTHING:
            return True
    return False


def repeated(piece: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """Inputs of one piece, over and over."""
    return lambda size: before + piece * (size // len(piece)) + after


def _time(work: Callable[[T], object], given: T) -> float:
    # The collector looks at all that the tests before have left: not the work's time.
    gc.disable()
    try:
        began = time.process_time()
        work(given)
        return time.process_time() - began
    finally:
        gc.enable()
