"""The moves between the states of a job."""

from __future__ import annotations

import pytest

from relay.model.job import (
    Failed,
    Queued,
    RetryPolicy,
    Sending,
    Sent,
    claim,
    expire,
    release,
    settle,
)
from relay.model.outcome import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    When,
)
from relay.model.reply import Reply

BUSY = Reply(454, "4.5", "Slowly")
NO = Reply(554, "6.0", "No")
POLICY = RetryPolicy(
    {When.SOON: [5, 10], When.SLOWLY: [100], When.UNSEEN: [30, 300]},
    give_up_after=1000,
    jitter=0,
)


def _settle(state: Sending, outcome: Outcome, now: float = 50) -> object:
    return settle(state, outcome, now=now, last_try=995, policy=POLICY)


def test_what_ses_took_is_sent() -> None:
    assert _settle(Sending(2), Accepted("m")) == Sent(2, 50, "m")


def test_what_ses_refused_for_good_has_failed() -> None:
    assert _settle(Sending(1, maybe_sent=True), Rejected(NO)) == Failed(1, 50, NO, True)


@pytest.mark.parametrize(
    ("when", "attempts", "due"),
    [
        (When.SOON, 1, 55),
        (When.SOON, 2, 60),
        (When.SOON, 7, 60),  # the last repeats
        (When.SLOWLY, 1, 150),
        (When.UNSEEN, 2, 350),
    ],
)
def test_what_can_be_repaired_waits_by_its_delays(
    when: When, attempts: int, due: float
) -> None:
    outcome = Deferred(BUSY, when)
    assert _settle(Sending(attempts), outcome) == Queued(attempts, due, BUSY)


def test_the_mark_of_an_unseen_end_stays() -> None:
    lost = Deferred(BUSY, When.UNSEEN, maybe_sent=True)
    first = _settle(Sending(1), lost)
    assert first == Queued(1, 80, BUSY, maybe_sent=True)
    assert isinstance(first, Queued)
    again = claim(first)
    assert again == Sending(2, maybe_sent=True, last=BUSY)
    assert _settle(again, Deferred(BUSY, When.SOON)) == Queued(2, 60, BUSY, True)


def test_the_last_attempt_is_made_shortly_before_the_end_and_none_after() -> None:
    outcome = Deferred(BUSY, When.SLOWLY)
    assert _settle(Sending(3), outcome, now=950) == Queued(3, 995, BUSY)
    ended = _settle(Sending(4), outcome, now=996)
    assert ended == Failed(
        4, 996, Reply(554, "4.7", "Delivery time expired; last: Slowly")
    )


def test_what_reaches_its_end_while_it_waits_has_failed() -> None:
    assert expire(Queued(2, 60, BUSY, maybe_sent=True), now=1000) == Failed(
        2, 1000, Reply(554, "4.7", "Delivery time expired; last: Slowly"), True
    )
    assert expire(Queued(0, 60), now=1000).reply.text == "Delivery time expired"


def test_a_claim_that_came_to_nothing_is_no_attempt() -> None:
    waiting = Queued(2, 60, BUSY, maybe_sent=True)
    assert release(claim(waiting), now=70) == Queued(2, 70, BUSY, maybe_sent=True)


def test_jitter_stays_within_a_fifth_and_differs() -> None:
    policy = RetryPolicy({When.SOON: [100]}, give_up_after=1000)
    delays = {policy.delay(When.SOON, 1) for _ in range(200)}
    assert 80 <= min(delays) < 90
    assert 110 < max(delays) <= 120


def test_the_end_is_giveupafter_or_validfor_whichever_is_sooner() -> None:
    assert POLICY.end(10, None) == 1010
    assert POLICY.end(10, 600) == 610
    assert POLICY.end(10, 5000) == 1010


def test_the_last_attempt_comes_five_seconds_before_the_end_or_a_tenth_of_a_life() -> (
    None
):
    assert POLICY.last_try(0, 1000) == 995
    assert POLICY.last_try(100, 101) == pytest.approx(100.9)
