"""A bar for long work, on a terminal alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LONG = 1000  # pieces of work
EVERY = 0.1  # seconds
WIDTH = 30


def shown(work: Iterable[T], total: int) -> Iterator[T]:
    """Pass `work` on, with a bar on stderr where that is a terminal."""
    if total < LONG or not sys.stderr.isatty():
        yield from work
        return
    drawn = float("-inf")
    try:
        for done, piece in enumerate(work, 1):
            if time.monotonic() - drawn > EVERY:
                drawn = time.monotonic()
                _draw(done, total)
            yield piece
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _draw(done: int, total: int) -> None:
    full = WIDTH * min(done, total) // total
    bar = "#" * full + "." * (WIDTH - full)
    print(f"\r[{bar}] {done:,} of {total:,}", end="", file=sys.stderr, flush=True)
