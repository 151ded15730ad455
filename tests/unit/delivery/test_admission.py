"""Whether an attempt may begin: calls, memory, pace, silence, pause, stop."""

from __future__ import annotations

import pytest

from relay.delivery.admission import Admission, Refusal, Slot
from relay.delivery.pace import Pace
from relay.model.outcome import Accepted, Outcome
from relay.ses import error_table


class Now:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


def gate(now: Now, *, concurrency: int = 3, pace: Pace | None = None) -> Admission:
    return Admission(
        pace=pace or Pace(),
        concurrency=concurrency,
        memory=1000,
        silent_after=3.0,
        looks=[30, 120],
        now=now,
    )


def attempt(one: Admission, outcome: Outcome, size: int = 10) -> None:
    one.leave(one.enter(size, 1), outcome)


SENT = Accepted("1")


def test_no_more_attempts_than_calls(now: Now) -> None:
    one = gate(now, concurrency=2)
    entered = [one.enter(1, 1), one.enter(1, 1)]
    assert one.closed(1) == Refusal()
    one.leave(entered[0], SENT)
    assert one.closed(1) is None


def test_contents_under_way_fit_the_memory_but_one_always_may(now: Now) -> None:
    one = gate(now)
    assert one.closed(5000) is None
    entered = one.enter(5000, 1)
    assert one.closed(1) == Refusal()
    assert one.room(10) == 0
    one.leave(entered, SENT)
    assert one.room(10) == 3


def test_what_entered_without_a_size_is_corrected(now: Now) -> None:
    pace = Pace(10.0)
    one = gate(now, pace=pace)
    entered = one.enter(0, 1)
    one.correct(entered, 900, 21)
    assert one.closed(200) == Refusal()
    one.leave(entered, None)
    assert pace.ready_in(now.at) == 0  # nothing left, so nothing is owed


def test_ses_is_silent_after_an_attempt_without_an_answer(now: Now) -> None:
    one = gate(now)
    assert one.silence() is None
    attempt(one, error_table.UNREACHABLE)
    assert one.silence() == Refusal("SES cannot be reached")
    attempt(one, error_table.TROUBLE)  # an error is an answer, too
    assert one.silence() is None
    attempt(one, error_table.LOST)
    assert one.silence() is not None
    attempt(one, SENT)
    assert one.silence() is None


def test_ses_is_silent_while_an_attempt_takes_longer_than_a_client_waits(
    now: Now,
) -> None:
    one = gate(now)
    slow = one.enter(10, 1)
    now.at += 2.9
    assert one.silence() is None
    now.at += 0.2
    assert one.silence() == Refusal()
    attempt(one, SENT)  # another one was answered
    assert one.silence() is None
    one.leave(slow, SENT)
    assert one.silence() is None


def test_a_pause_holds_all_and_one_attempt_looks_whether_it_is_over(now: Now) -> None:
    one = gate(now)
    resumed: list[bool] = []
    one.on_resume(lambda: resumed.append(True))
    attempt(one, error_table.QUOTA)
    held = Refusal("Throttling failure: Daily message quota exceeded")
    assert one.closed(1) == held
    now.at += 30 * 1.2
    assert one.room(10) == 1
    look = one.enter(1, 1)
    assert one.closed(1) == held
    assert one.opens_in() is None
    one.leave(look, error_table.QUOTA)
    now.at += 120 * 0.79
    assert one.closed(1) == held
    now.at += 120 * 0.41
    assert one.closed(1) is None
    assert not resumed
    attempt(one, error_table.CONTENT)
    assert one.closed(1) is None
    assert resumed == [True]


def test_a_look_that_meets_silence_ends_no_pause(now: Now) -> None:
    one = gate(now)
    attempt(one, error_table.SUSPENDED)
    now.at += 36
    attempt(one, error_table.LOST)
    assert one.closed(1) is not None
    opens = one.opens_in()
    assert opens is not None
    assert 96 <= opens <= 144


def test_a_look_that_was_not_made_can_be_made(now: Now) -> None:
    one = gate(now)
    attempt(one, error_table.PAUSED)
    now.at += 36
    look: Slot = one.enter(0, 1)
    one.leave(look, None)
    assert one.closed(1) is None


def test_calls_that_were_under_way_when_the_pause_began_are_one_step(now: Now) -> None:
    one = gate(now)
    entered = [one.enter(1, 1) for _ in range(3)]
    for each in entered:
        one.leave(each, error_table.QUOTA)
    opens = one.opens_in()
    assert opens is not None
    assert 24 <= opens <= 36


def test_throttling_halves_the_pace(now: Now) -> None:
    pace = Pace(10.0)
    one = gate(now, pace=pace)
    attempt(one, error_table.THROTTLED)
    assert pace.rate == 5.0


def test_without_a_token_nothing_begins_until_there_is_one(now: Now) -> None:
    one = gate(now, pace=Pace(2.0))
    one.leave(one.enter(1, 1), SENT)
    assert one.closed(1) == Refusal()
    assert one.room(10) == 0
    assert one.opens_in() == pytest.approx(0.5)
    now.at += 0.51
    assert one.room(10) == 1


def test_at_the_stop_nothing_begins(now: Now) -> None:
    one = gate(now)
    told: list[bool] = []
    one.on_change(lambda: told.append(True))
    one.stop()
    assert one.closed(1) == Refusal("shutting down")
    assert told == [True]
