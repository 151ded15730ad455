"""Percentiles of buckets, held against exact ones of the same times."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.observe.spread import (
    BOUNDS,
    EMPTY,
    ERROR,
    LEAST,
    Spread,
    bucket,
    merged,
    packed,
    pairs,
    percentile,
)

PARTS = (0.01, 0.5, 0.95, 0.99, 1.0)
TIMES = st.one_of(
    st.floats(LEAST, BOUNDS[-1]),
    st.floats(-4, 2.5).map(lambda exponent: float(10**exponent)),
    st.sampled_from([LEAST, BOUNDS[7], BOUNDS[7] * 1.0001, BOUNDS[-1]]),
)


def spread(times: list[float]) -> Spread[int]:
    counts = [0] * (len(BOUNDS) + 1)
    for seconds in times:
        counts[bucket(seconds)] += 1
    return packed(counts)


def exact(times: list[float], part: float) -> float:
    return sorted(times)[max(ceil(part * len(times)) - 1, 0)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(TIMES, max_size=40), min_size=1, max_size=12))
def test_a_percentile_of_merged_points_is_that_of_all_their_times(
    points: list[list[float]],
) -> None:
    everything = [seconds for times in points for seconds in times]
    whole = merged(spread(times) for times in points)
    assert whole == spread(everything)
    for part in PARTS:
        found = percentile(whole, part)
        if not everything:
            assert found is None
            continue
        assert found is not None
        wanted = exact(everything, part)
        assert abs(found - wanted) <= ERROR * wanted * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(TIMES, max_size=9), max_size=9), st.randoms())
def test_in_which_order_points_are_merged_does_not_matter(
    points: list[list[float]], random: object
) -> None:
    spreads = [spread(times) for times in points]
    shuffled = list(spreads)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis' has no type
    half = len(spreads) // 2
    in_two = merged([merged(shuffled[:half]), merged(shuffled[half:])])
    assert merged(spreads) == in_two


def test_what_is_shorter_or_longer_than_all_buckets_counts_as_their_ends() -> None:
    assert percentile(spread([0.0, 0.00001]), 1.0) == LEAST
    assert percentile(spread([1e6]), 0.5) == BOUNDS[-1]
    assert 600 < BOUNDS[-1] < 670


def test_buckets_are_as_wide_as_the_error_says() -> None:
    ratio = (1 + ERROR) / (1 - ERROR)
    assert all(abs(b / a - ratio) < 1e-9 for a, b in pairwise(BOUNDS))


def test_a_spread_holds_what_there_is_and_no_more() -> None:
    assert spread([]) is EMPTY
    assert list(pairs(spread([0.02, 0.02, 0.5]))) == [
        (bucket(0.02), 2),
        (bucket(0.5), 1),
    ]
