"""The pace: what leaves in any second, halving, growing back."""

from __future__ import annotations

import math

import pytest

from relay.delivery.pace import GROWS_EVERY, Pace


def _departures(pace: Pace, seconds: float, recipients: int = 1) -> list[float]:
    """When mails leave that all wait from the beginning."""
    now, left = 100.0, []
    while now < 100.0 + seconds:
        wait = pace.ready_in(now)
        if wait:
            now += wait + 1e-9
            continue
        pace.take(recipients, now)
        left.append(now)
    return left


def _most_in_a_second(left: list[float], recipients: int = 1) -> int:
    return max(
        recipients * sum(1 for other in left if at <= other < at + 1.0) for at in left
    )


@pytest.mark.parametrize("account", [1, 14, 50, 200])
@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_trap_14_no_second_sees_more_than_the_accounts_rate(
    account: int, share: float
) -> None:
    pace = Pace(account * share, account * (1 - share))
    left = _departures(pace, 20)
    assert _most_in_a_second(left) <= account + (share == 1.0)
    assert len(left) >= math.floor(20 * account * share)


def test_a_mail_of_many_recipients_is_a_debt_that_the_next_one_waits_for() -> None:
    pace = Pace(10.0)
    assert pace.ready_in(100) == 0
    pace.take(50, 100)
    assert pace.ready_in(100) == pytest.approx(5.0)
    assert pace.ready_in(105.0001) == 0


def test_without_a_rate_everything_may_leave() -> None:
    pace = Pace()
    for _ in range(1000):
        assert pace.ready_in(5) == 0
        pace.take(50, 5)
    assert pace.rate is None


def test_throttling_halves_the_pace_and_it_grows_back_by_tenths() -> None:
    pace = Pace(20.0)
    pace.throttled(began=99, now=100)
    assert pace.rate == 10.0
    rates = []
    for step in range(1, 7):
        pace.ready_in(100 + step * GROWS_EVERY)
        rates.append(pace.rate)
    assert rates == [12.0, 14.0, 16.0, 18.0, 20.0, 20.0]


def test_throttled_calls_that_were_under_way_together_halve_it_once() -> None:
    pace = Pace(16.0)
    for _ in range(5):
        pace.throttled(began=99.5, now=100)
    assert pace.rate == 8.0
    pace.throttled(began=100.5, now=101)
    assert pace.rate == 4.0


def test_it_never_falls_below_one_a_second_nor_below_a_smaller_full_rate() -> None:
    pace, small = Pace(3.0), Pace(0.9)
    for second in range(5):
        pace.throttled(began=100 + second, now=100.5 + second)
        small.throttled(began=100 + second, now=100.5 + second)
    assert (pace.rate, small.rate) == (1.0, 0.9)


def test_with_no_rate_known_throttling_takes_half_of_the_last_second() -> None:
    pace = Pace()
    for tenth in range(10):
        pace.take(4, 100 + tenth / 10)
    pace.throttled(began=100.5, now=100.95)
    assert pace.rate == 20.0
    # Grown back without throttling, there is none again.
    for step in range(1, 6):
        pace.ready_in(100.95 + step * GROWS_EVERY)
    assert pace.rate is None


def test_an_accounts_new_rate_does_not_undo_the_halving() -> None:
    pace = Pace(20.0)
    pace.throttled(began=99, now=100)
    pace.set_full(40.0)
    assert (pace.rate, pace.full) == (10.0, 40.0)
    pace.set_full(8.0)
    assert pace.rate == 8.0


def test_what_did_not_leave_is_given_back() -> None:
    pace = Pace(1.0)
    pace.take(1, 100)
    pace.give_back(1)
    assert pace.ready_in(100) == 0
