"""Many relays at one account's rate, in a simulation of SES' own bucket."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from relay.delivery.shared_pace import SharedPace


@dataclass
class Account:
    """SES, with a bucket of one second's size, and what it was asked."""

    rate: float
    tokens: float = 0.0
    at: float = 0.0
    offered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    served: Counter[int] = field(default_factory=Counter)

    def takes(self, now: float, relay: int, *, counts: bool) -> bool:
        passed, self.at = now - self.at, now
        self.tokens = min(self.tokens + passed * self.rate, self.rate)
        self.offered.append(now)
        if self.tokens < 1.0:
            self.refused.append(now)
            return False
        self.tokens -= 1.0
        self.served[relay] += counts
        return True


def simulated(
    relays: int, rate: float, seconds: float, seed: int, *, joins: int = 0
) -> Account:
    """Relays that always have mail; at half of the time `joins` more come."""
    random = Random(seed)
    account = Account(rate)
    paces = [SharedPace(0.9 * rate, 0.1 * rate) for _ in range(relays + joins)]
    # When, in which order, who; the answer: began, taken, or None for a look.
    events: list[tuple[float, int, int, tuple[float, bool] | None]] = []
    for number in range(relays + joins):
        begins = random.random() if number < relays else seconds / 2
        heapq.heappush(events, (begins, number, number, None))
    order = relays + joins
    while events:
        now, _, who, answer = heapq.heappop(events)
        if now > seconds:
            break
        pace = paces[who]
        if answer is not None:
            began, taken = answer
            if taken:
                pace.accepted(1)
            else:
                pace.throttled(began, now)
            continue
        order += 1
        wait = pace.ready_in(now)
        if wait <= 0:
            pace.take(1, now)
            taken = account.takes(now, who, counts=now > seconds / 2)
            end = now + random.uniform(0.05, 0.15)
            heapq.heappush(events, (end, order, who, (now, taken)))
            order += 1
            wait = pace.ready_in(now)
        heapq.heappush(events, (now + max(wait, 1e-4), order, who, None))
    return account


@pytest.mark.parametrize(
    ("relays", "rate", "seconds", "most_refused", "least"),
    [(3, 14, 300, 0.04, 0.6), (10, 100, 300, 0.06, 0.3), (50, 14, 1200, 0.1, 0.15)],
)
def test_relays_together_come_to_the_rate_of_the_account(
    relays: int, rate: float, seconds: float, most_refused: float, least: float
) -> None:
    account = simulated(relays, rate, seconds, seed=relays)
    half = seconds / 2
    offered = sum(at > half for at in account.offered)
    refused = sum(at > half for at in account.refused)
    assert 0.9 < offered / half / rate < 1.12
    assert refused / offered < most_refused
    fair = sum(account.served.values()) / relays
    assert min(account.served[one] for one in range(relays)) > least * fair


def test_as_many_again_that_join_take_their_part_within_seconds() -> None:
    account = simulated(3, 100, 200, seed=5, joins=3)
    for window in range(13, 20):
        offered = sum(window * 10 <= at < window * 10 + 10 for at in account.offered)
        assert 0.88 < offered / 10 / 100 < 1.12
    fair = sum(account.served.values()) / 6
    assert min(account.served[one] for one in range(6)) > 0.15 * fair


def test_a_relay_without_mail_does_not_grow() -> None:
    pace = SharedPace(90, 10)
    pace.throttled(0.5, 1.0)
    slowed = pace.rate
    assert slowed == 45  # the only answer was a refusal
    pace.ready_in(1000.0)
    assert pace.rate == slowed
    pace.accepted(1)
    assert pace.rate == pytest.approx(45.03)


def test_refusals_of_one_moment_are_one_step_and_the_next_heeds_them() -> None:
    pace = SharedPace(90, 10)
    for _ in range(80):
        pace.accepted(1)
    for _ in range(20):
        pace.throttled(0.5, 1.0)
    assert pace.rate == pytest.approx(90 * 0.9)  # 1 of 81 is less than the least step
    for _ in range(19):
        pace.accepted(1)
    pace.throttled(1.5, 2.0)
    # 20 of 39 answers since the step were refusals.
    assert pace.rate == pytest.approx((81 + 19 * 0.03) * (1 - 0.5), rel=0.02)


def test_no_relay_falls_below_a_part_of_the_rate_nor_climbs_above_its_own() -> None:
    pace = SharedPace(90, 10)
    for second in range(100):
        pace.throttled(second + 0.5, second + 1.0)
    assert pace.rate == 0.5
    for _ in range(100_000):
        pace.accepted(1)
    assert pace.rate == 90
    assert pace.full == 90


def test_without_a_known_rate_it_learns_one_and_forgets_it_again() -> None:
    pace = SharedPace()
    assert pace.ready_in(0.0) == 0
    for number in range(20):
        pace.take(1, 0.01 * number)
    pace.throttled(0.1, 0.5)
    assert (pace.full, pace.rate) == (20.0, 10.0)
    for _ in range(3000):
        pace.accepted(1)
    assert pace.rate is None
