"""What the turmoil's judge takes for a reason, and what it does not."""

from __future__ import annotations

from typing import Any

from tests.crash.clients import Try
from tests.crash.verdict import judge
from tests.crash.weather import Call
from tests.fleet.turmoil import Ends

TO = ("r1-0@d0.example",)


def call(number: int, *, life: int, fault: str = "none") -> Call:
    """The call with this number, on the one mail that there is."""
    return Call(1, TO, b"digest", False, life, float(number), fault, f"m{number}")


def sent(number: int, *, marked: bool = False) -> dict[str, Any]:
    """The line of a relay that wrote the end of a call."""
    line = {"event": "sent", "id": "k1", "messageId": f"m{number}"}
    return {**line, "maybeSentBefore": True} if marked else line


def faults(calls: list[Call], lines: list[dict[str, Any]], *, killed: int = 0) -> int:
    """How many faults there are, where a client heard 250 and SES took it twice."""
    ends = Ends(killed={killed} if killed else set())
    ends.read(lines)
    one = Try(1, TO, b"digest", 250, "2.0.0 queued as k1")
    verdict = judge([one], calls, {}, ends.cause, shared=True)
    assert len(verdict.faults) + verdict.duplicates.total() == 1
    return len(verdict.faults)


def test_a_second_sending_has_a_reason_where_the_first_was_not_seen() -> None:
    calls = [call(1, life=1, fault="taken, reset"), call(2, life=2)]
    assert faults(calls, [sent(2, marked=True)]) == 0
    # Who sent it again did as if nobody had.
    assert faults(calls, [sent(2)]) == 1


def test_a_second_sending_has_a_reason_where_a_kill_came_before_the_end() -> None:
    calls = [call(1, life=1), call(2, life=2)]
    assert faults(calls, [sent(2, marked=True)], killed=1) == 0
    assert faults(calls, [], killed=1) == 0
    assert faults(calls, [sent(2)], killed=1) == 1
    assert faults(calls, [sent(1), sent(2, marked=True)], killed=1) == 1
    assert faults(calls, [sent(2, marked=True)]) == 1


def test_an_end_that_is_kept_in_memory_is_not_written() -> None:
    calls = [call(1, life=1), call(2, life=2)]
    kept: dict[str, Any] = {"event": "end not written", "id": "k1"}
    lines = [kept, sent(1)]
    assert faults(calls, lines, killed=1) == 0
    assert faults(calls, [*lines, {**kept, "event": "end written"}], killed=1) == 1


def test_mail_that_was_refused_and_sent_is_told_of_and_its_bytes_are_looked_at() -> (
    None
):
    refused = Try(1, TO, b"digest", 451, "4.3.0 later")
    verdict = judge([refused], [call(1, life=1)], {}, shared=True)
    assert verdict.faults == []
    assert verdict.figures["451, and sent all the same"] == 1
    other = Try(1, TO, b"other", 451, "4.3.0 later")
    assert len(judge([other], [call(1, life=1)], {}, shared=True).faults) == 1
    assert len(judge([refused], [call(1, life=1)], {}).faults) == 1
    never = Try(1, TO, b"digest", 250, "2.0.0 queued as k1")
    (lost,) = judge([never], [], {}, shared=True).faults[:1]
    assert "lost for" in lost
