"""How many of some times lay in which of fixed buckets, and percentiles of that.

Spreads of several points add up, bucket by bucket, and a percentile of the sum is as
right as one of a single point: within ERROR of the time itself. Percentiles do not.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

ERROR = 0.05  # of a percentile, as a part of the time that it stands for
GROWTH = (1 + ERROR) / (1 - ERROR)
LEAST = 0.0001  # seconds; what is shorter counts as this
# The upper bounds in seconds, up to 10 minutes; what is longer counts as that.
BOUNDS = [LEAST * GROWTH**step for step in range(157)]

# Bucket, count, bucket, count …, in the order of buckets; those without any left out.
Spread = array  # of unsigned integers
EMPTY: Spread[int] = array("I")


def packed(counts: Sequence[int]) -> Spread[int]:
    """Pack the counts of all buckets, one more than BOUNDS."""
    found = ((index, count) for index, count in enumerate(counts) if count)
    return array("I", [number for pair in found for number in pair]) or EMPTY


def bucket(seconds: float) -> int:
    """Tell which bucket a time lies in."""
    return bisect_left(BOUNDS, seconds)


def pairs(spread: Spread[int]) -> Iterator[tuple[int, int]]:
    """Each bucket that holds something, and how many."""
    return zip(spread[::2], spread[1::2], strict=True)


def merged(spreads: Iterable[Spread[int]]) -> Spread[int]:
    """Add up; of none, or of one alone, nothing is made anew."""
    given = [spread for spread in spreads if spread]
    if len(given) < 2:
        return given[0] if given else EMPTY
    counts = [0] * (len(BOUNDS) + 1)
    for spread in given:
        for index, count in pairs(spread):
            counts[index] += count
    return packed(counts)


def percentile(spread: Spread[int], part: float) -> float | None:
    """The time in seconds that `part` of all do not exceed; None: there are none."""
    wanted, seen = part * sum(spread[1::2]), 0
    for index, count in pairs(spread):
        seen += count
        if seen >= wanted:
            return _within(index)
    return None


def _within(index: int) -> float:
    """The time that is at most ERROR away from all of a bucket."""
    bound = BOUNDS[min(index, len(BOUNDS) - 1)]
    return bound if index in (0, len(BOUNDS)) else bound * (1 - ERROR)
