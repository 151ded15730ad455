"""A bar for long work, on a terminal alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

AFTER = 0.5  # seconds: what ends sooner shows no bar
EVERY = 0.1
WIDTH = 30


def shown(work: Iterable[T], total: int) -> Iterator[T]:
    """Pass `work` on, with a bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield from work
        return
    began = drawn = time.monotonic()
    visible = False
    try:
        for done, one in enumerate(work, 1):
            now = time.monotonic()
            if now - began > AFTER and now - drawn > EVERY:
                drawn, visible = now, True
                _draw(done, total)
            yield one
    finally:
        if visible:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _draw(done: int, total: int) -> None:
    full = WIDTH * min(done, total) // max(total, 1)
    bar = "#" * full + "." * (WIDTH - full)
    print(f"\r[{bar}] {done:,} of {total:,}", end="", file=sys.stderr, flush=True)
