"""24 hours in points: their tiers, what becomes of several, clocks, memory."""

from __future__ import annotations

import tracemalloc
from random import Random

from relay.observe.ring import NONE, NOTHING, RANGES, Point, Ring, joined
from relay.observe.spread import BOUNDS, EMPTY, bucket, packed
from relay.observe.stats import GROUPS, OUTCOMES

BEGAN = 1_764_410_700.0  # begins five minutes


def point(at: float, mails: int = 0, seconds: float = 0.05) -> Point:
    if not mails:
        return Point(at, NONE, NONE, EMPTY, 0, None, 14.0)
    counts = [0] * (len(BOUNDS) + 1)
    counts[bucket(seconds)] = mails
    counted = {"accepted": mails}
    return Point(at, counted, counted, packed(counts), 0, None, 14.0)


def test_several_points_become_one_that_says_the_same() -> None:
    first = Point(5.0, {"accepted": 3}, {"accepted": 2, "tls": 1}, EMPTY, 9, 4.0, 7.0)
    second = Point(10.0, {"accepted": 1, "queued": 2}, NONE, EMPTY, 2, 8.0, 14.0)
    assert joined([first, second]) == Point(
        10.0,
        {"accepted": 4, "queued": 2},
        {"accepted": 2, "tls": 1},
        EMPTY,
        waiting=9,
        oldest=8.0,
        rate=7.0,
        seconds=10.0,
    )
    assert joined([Point(5.0, NONE, NONE, EMPTY), second]).waiting == 2


def test_all_ranges_have_the_same_mails_and_the_same_percentiles() -> None:
    ring = Ring()
    random = Random(18)
    times = [random.expovariate(10) for _ in range(60)]
    for number, seconds in enumerate(times):
        ring.add(point(BEGAN + 5 * (number + 1), 1 + number % 3, seconds))
    wholes = []
    for name, every, least in (("5m", 5, 59), ("1h", 5, 60), ("6h", 60, 5)):
        width, points = ring.last(RANGES[name])
        assert (width, len(points) >= least) == (every, True)
        wholes.append(joined(points))
    width, points = ring.last(RANGES["24h"])
    assert width == 300
    wholes.append(joined(points))
    assert all(one == wholes[0] for one in wholes)
    assert sum(wholes[0].counts.values()) == 120


def test_each_tier_keeps_its_time_and_no_more() -> None:
    ring = Ring()
    for number in range(int(25 * 3600 / 5)):
        ring.add(point(BEGAN + 5 * (number + 1), int(number > 24 * 720)))
    lengths = {}
    for name, seconds in RANGES.items():
        every, points = ring.last(seconds)
        lengths[name] = (every, len(points))
        reach = points[-1].at - points[0].at + points[0].seconds
        assert seconds - 2 * every <= reach <= seconds + every
        assert sum(points[-1].counts.values()) == points[-1].seconds / 5
    assert lengths == {
        "5m": (5, 60),
        "15m": (5, 180),
        "1h": (5, 720),
        "6h": (60, 360),
        "24h": (300, 288),
    }


def test_a_clock_that_is_set_back_leaves_nothing_in_the_future() -> None:
    ring = Ring()
    for at in range(0, 3600, 5):
        ring.add(point(BEGAN + at, 1))
    ring.add(point(BEGAN + 1000.5, 2))
    for seconds in RANGES.values():
        _, points = ring.last(seconds)
        ats = [one.at for one in points]
        assert ats == sorted(set(ats))
        assert ats[-1] == BEGAN + 1000.5
    ring.add(point(BEGAN + 900_000))  # and far ahead: what is older goes by its time
    assert ring.last(RANGES["1h"])[1] == [point(BEGAN + 900_000)]


def test_the_last_minute_is_what_counts_and_more_where_ses_was_not_asked() -> None:
    ring = Ring()
    assert ring.recent() is NOTHING
    ring.add(point(BEGAN + 5, 7))
    assert ring.recent().answers == {"accepted": 7}
    for number in range(2, 41):
        ring.add(point(BEGAN + 5 * number))
    assert ring.recent().answers == {"accepted": 7}
    assert ring.recent().seconds == 200
    for number in range(41, 70):
        ring.add(point(BEGAN + 5 * number))
    assert ring.recent().answers == {}
    ring.add(point(BEGAN + 350, 3))
    assert (ring.recent().answers, ring.recent().seconds) == ({"accepted": 3}, 60)


def test_points_take_little_memory_and_idle_ones_next_to_none() -> None:
    random = Random(4)
    words = [word for group in GROUPS.values() for word in group]
    # A relay that answers in all ways at once, in times of all lengths.
    counts = [[random.randrange(2**16) for _ in range(158)] for _ in range(20)]

    def busy(at: float) -> Point:
        return Point(
            at,
            {name: random.randrange(2**20) for name in OUTCOMES},
            {name: random.randrange(2**20) for name in words},
            packed(counts[int(at) % 20]),
            random.randrange(2**20),
            random.random(),
            random.random(),
        )

    for make, most in ((point, 200), (busy, 4000)):
        tracemalloc.start()
        kept = [make(float(at)) for at in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken / len(kept) < most
