"""What leaves in any one second, by a clock that nothing moves."""

from __future__ import annotations

from random import Random

import pytest

from relay.delivery.pace import Pace

TICKS = 1000  # of a second


def left(pace: Pace, seconds: int, sizes: list[int], random: Random) -> list[int]:
    """How many recipients left in each tick, where mail always waits."""
    found = []
    for tick in range(seconds * TICKS):
        now = 100 + tick / TICKS
        count = 0
        # As the worker does it: some enter, and some of them find no mail.
        for _ in range(pace.room(now) if pace.ready_in(now) == 0 else 0):
            size = random.choice(sizes)
            pace.take(1, now)
            if random.random() < 0.2:
                pace.give_back(1)
                continue
            pace.take(size - 1, now)
            count += size
        found.append(count)
    return found


@pytest.mark.parametrize("rate", [1.0, 14.0, 20.0, 200.0])
def test_in_no_second_more_leaves_than_the_account_may_send(rate: float) -> None:
    pace = Pace(rate * 0.9, rate * 0.1)
    counts = left(pace, 20, [1], Random(1))
    most = max(sum(counts[at : at + TICKS]) for at in range(len(counts) - TICKS))
    assert most <= max(rate, 2)  # one mail must be able to leave
    assert sum(counts) > 0.85 * 20 * rate  # and the rate is used


def test_large_mail_is_paid_for_by_what_comes_after_it() -> None:
    counts = left(Pace(90.0, 10.0), 60, [1, 3, 50], Random(2))
    assert 0.85 * 90 * 60 < sum(counts) < 90 * 60 + 10 + 50
