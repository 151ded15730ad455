"""Whether an attempt may begin: calls, memory, pace, silence, pause, stop."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from relay.delivery.admission import Admission, Load, Refusal, Slot
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


def made(
    now: Now,
    *,
    concurrency: int = 3,
    pace: Pace | None = None,
    load: Load | None = None,
    looks: Sequence[float] = (30, 120),
    has_fallback: bool = False,
) -> Admission:
    return Admission(
        pace=pace or Pace(),
        concurrency=concurrency,
        load=load or Load(1000),
        silent_after=3.0,
        looks=looks,
        has_fallback=has_fallback,
        now=now,
    )


def attempt(admission: Admission, outcome: Outcome, size: int = 10) -> None:
    admission.leave(admission.enter(size, 1), outcome)


SENT = Accepted("1")


def test_no_more_attempts_than_calls(now: Now) -> None:
    admission = made(now, concurrency=2)
    entered = [admission.enter(1, 1), admission.enter(1, 1)]
    assert admission.refusal(1) == Refusal()
    admission.leave(entered[0], SENT)
    assert admission.refusal(1) is None


def test_contents_under_way_fit_the_memory_but_one_always_may(now: Now) -> None:
    admission = made(now)
    assert admission.refusal(5000) is None
    entered = admission.enter(5000, 1)
    assert admission.refusal(1) == Refusal()
    assert admission.room(10) == 0
    admission.leave(entered, SENT)
    assert admission.room(10) == 3


def test_what_entered_without_a_size_is_corrected(now: Now) -> None:
    pace = Pace(10.0)
    admission = made(now, pace=pace)
    entered = admission.enter(0, 1)
    admission.correct(entered, 900, 21)
    assert admission.refusal(200) == Refusal()
    admission.leave(entered, None)
    assert pace.ready_in(now.at) == 0  # nothing left, so nothing is owed


def test_ses_is_silent_after_an_attempt_without_an_answer(now: Now) -> None:
    admission = made(now)
    assert admission.silence() is None
    attempt(admission, error_table.UNREACHABLE)
    assert admission.silence() == Refusal("SES cannot be reached")
    attempt(admission, error_table.TROUBLE)  # an error is an answer, too
    assert admission.silence() is None
    attempt(admission, error_table.LOST)
    assert admission.silence() is not None
    attempt(admission, SENT)
    assert admission.silence() is None


def test_ses_is_silent_while_an_attempt_takes_longer_than_a_client_waits(
    now: Now,
) -> None:
    admission = made(now)
    slow = admission.enter(10, 1)
    now.at += 2.9
    assert admission.silence() is None
    now.at += 0.2
    assert admission.silence() == Refusal()
    attempt(admission, SENT)  # another one was answered
    assert admission.silence() is None
    admission.leave(slow, SENT)
    assert admission.silence() is None


def test_a_pause_holds_all_and_one_attempt_looks_whether_it_is_over(now: Now) -> None:
    admission = made(now)
    resumed: list[bool] = []
    admission.on_resume(lambda: resumed.append(True))
    attempt(admission, error_table.QUOTA)
    held = Refusal("Throttling failure: Daily message quota exceeded")
    assert admission.refusal(1) == held
    now.at += 30 * 1.2
    assert admission.room(10) == 1
    look = admission.enter(1, 1)
    assert admission.refusal(1) == held
    assert admission.opens_in() is None
    admission.leave(look, error_table.QUOTA)
    now.at += 120 * 0.79
    assert admission.refusal(1) == held
    now.at += 120 * 0.41
    assert admission.refusal(1) is None
    assert not resumed
    attempt(admission, error_table.CONTENT)
    assert admission.refusal(1) is None
    assert resumed == [True]


def test_a_look_that_meets_silence_ends_no_pause(now: Now) -> None:
    admission = made(now)
    attempt(admission, error_table.SUSPENDED)
    now.at += 36
    attempt(admission, error_table.LOST)
    assert admission.refusal(1) is not None
    opens = admission.opens_in()
    assert opens is not None
    assert 96 <= opens <= 144


def test_a_look_that_was_not_made_can_be_made(now: Now) -> None:
    admission = made(now)
    attempt(admission, error_table.PAUSED)
    now.at += 36
    look: Slot = admission.enter(0, 1)
    admission.leave(look, None)
    assert admission.refusal(1) is None


def test_calls_that_were_under_way_when_the_pause_began_are_one_step(now: Now) -> None:
    admission = made(now)
    entered = [admission.enter(1, 1) for _ in range(3)]
    for slot in entered:
        admission.leave(slot, error_table.QUOTA)
    opens = admission.opens_in()
    assert opens is not None
    assert 24 <= opens <= 36


def test_throttling_halves_the_pace(now: Now) -> None:
    pace = Pace(10.0)
    admission = made(now, pace=pace)
    attempt(admission, error_table.THROTTLED)
    assert pace.rate == 5.0


def test_without_a_token_nothing_begins_until_there_is_one(now: Now) -> None:
    admission = made(now, pace=Pace(2.0))
    admission.leave(admission.enter(1, 1), SENT)
    assert admission.refusal(1) == Refusal()
    assert admission.room(10) == 0
    assert admission.opens_in() == pytest.approx(0.5)
    now.at += 0.51
    assert admission.room(10) == 1


def test_an_end_is_told_while_somebody_waits_for_it_and_the_stop_always(
    now: Now,
) -> None:
    admission = made(now)
    told: list[bool] = []
    admission.on_change(lambda: told.append(True))
    attempt(admission, SENT)
    assert told == [True]
    admission.awaited = False
    attempt(admission, SENT)
    assert told == [True]
    admission.stop()
    assert told == [True, True]


def test_admitted_is_what_neither_silence_nor_a_refusal_holds_up(now: Now) -> None:
    admission = made(now, concurrency=2)
    first = admission.admit(10, 1)
    assert isinstance(first, Slot)
    assert isinstance(admission.admit(5000, 1), Refusal)  # of more memory than there is
    admission.leave(first, error_table.UNREACHABLE)
    assert admission.admit(10, 1) == Refusal("SES cannot be reached")
    assert not admission.busy  # who is refused holds no place


def test_at_the_stop_nothing_begins(now: Now) -> None:
    admission = made(now)
    told: list[bool] = []
    admission.on_change(lambda: told.append(True))
    admission.stop()
    assert admission.refusal(1) == Refusal("shutting down")
    assert told == [True]


def test_with_a_fallback_an_account_out_of_reach_is_looked_at_now_and_then(
    now: Now,
) -> None:
    pauses: list[str] = []
    admission = made(now, has_fallback=True, looks=[300])
    admission.on_pause(pauses.append)
    attempt(admission, error_table.UNREACHABLE)
    assert admission.closed
    assert admission.silence() is None  # or nobody could look
    now.at += 36.1  # 30 s, whatever the looks, and the jitter
    assert not admission.closed
    slot = admission.enter(10, 1)
    assert admission.closed  # one looks
    admission.leave(slot, error_table.UNREACHABLE)
    assert admission.closed
    now.at += 36.1
    attempt(admission, SENT)
    assert not admission.closed
    assert pauses == ["SES cannot be reached", ""]


def test_gates_share_what_memory_there_is_but_each_may_have_one_mail(now: Now) -> None:
    load = Load(1000)
    first, other = made(now, load=load), made(now, load=load)
    first.enter(900, 1)
    assert first.refusal(200) is not None
    slot = other.enter(200, 1)
    assert other.refusal(10) is not None
    other.leave(slot, SENT)
    assert first.refusal(50) is None
