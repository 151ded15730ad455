"""Mails a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.smtp.rate import Rate


def test_zero_is_no_limit_and_remembers_nothing() -> None:
    rate = Rate(0)
    assert all(rate.let_in(["a"], now=0) for _ in range(1000))
    assert len(rate) == 0


def test_the_number_is_let_in_and_the_next_once_a_minute_is_over() -> None:
    rate = Rate(2)
    assert [rate.let_in(["a"], now=now) for now in (0, 10, 20, 59.9)] == [
        True,
        True,
        False,
        False,
    ]
    assert [rate.let_in(["a"], now=now) for now in (60, 61, 70, 71)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_mail_that_one_key_refuses_counts_for_none() -> None:
    rate = Rate(1)
    assert rate.let_in(["user"], now=0)
    assert not rate.let_in(["client", "user"], now=1)
    assert rate.let_in(["client"], now=2)


def test_who_was_silent_for_a_minute_is_forgotten() -> None:
    rate = Rate(5)
    for number in range(10_000):
        rate.let_in([f"client {number}"], now=number / 64)  # exact in binary
    assert len(rate) == 3840
    assert rate.let_in(["another"], now=1000)
    assert len(rate) == 1


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=60),
)
def test_no_minute_has_more_than_the_number_and_nobody_is_refused_for_nothing(
    number: int, steps: list[tuple[str, float]]
) -> None:
    rate = Rate(number)
    now = 0.0
    let_in: dict[str, list[float]] = {"a": [], "b": []}
    for key, pause in steps:
        now += pause
        recent = [time for time in let_in[key] if time > now - 60]
        assert rate.let_in([key], now=now) == (len(recent) < number)
        if len(recent) < number:
            let_in[key].append(now)
