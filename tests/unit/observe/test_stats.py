"""Counts, percentiles, classes of answers, and bounds."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from relay.model.mail import Choice, Mail
from relay.model.outcome import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    When,
)
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission
from relay.observe import stats as module
from relay.observe.events import Answered, Attempted, NotTaken
from relay.observe.stats import (
    POINTS,
    Histogram,
    Now,
    Point,
    Stats,
    answer_class,
)
from relay.ses import error_table

SUBMISSION = Submission(MailId("k3v9"), Envelope(None, ("a@b.example",)), b"12345")
OK = Reply(250, "0.0", "Ok 1")
BUSY = Deferred(Reply(454, "4.5", "Throttling failure"), When.SOON)


def answered(
    reply: Reply, outcome: Outcome | None, usage: str = "", seconds: float = 0.01
) -> Answered:
    mail = Mail(SUBMISSION.envelope, b"", choice=Choice(usage))
    return Answered(SUBMISSION, (mail,), reply, outcome, 1, seconds)


def test_every_row_of_the_reply_table_has_a_class() -> None:
    rows = [
        row
        for _, row in inspect.getmembers(error_table)
        if isinstance(row, Deferred | Rejected)
    ]
    assert len(rows) > 18
    unknown = {str(row.reply) for row in rows if answer_class(row) == "unknown"}
    assert unknown == {str(error_table.UNKNOWN.reply)}
    said = error_table.outcome_for(
        "MessageRejected", 400, "Email address is not verified"
    )
    assert answer_class(said) == "not_verified"
    said = error_table.outcome_for("MessageRejected", 400, "Virus")
    assert answer_class(said) == "content"


def test_submissions_are_counted_by_what_their_client_heard() -> None:
    stats = Stats(usages=["SignIn"])
    stats(answered(OK, Accepted("1"), "SignIn"))
    stats(answered(OK, None, "Invented"))
    stats(answered(BUSY.reply, BUSY))
    stats(answered(Reply(554, "6.0", "no"), Rejected(Reply(554, "6.0", "no"))))
    stats(NotTaken(SUBMISSION, Reply(550, "6.0", "no"), 0.1))
    assert dict(stats.mails) == {
        ("accepted", "SignIn", ""): 1,
        ("queued", "other", ""): 1,
        ("deferred", "", ""): 1,
        ("rejected", "", ""): 1,
        ("refused", "", ""): 1,
    }
    assert stats.bytes == 25
    assert sum(stats.seconds["refused"].counts) == 1


def test_mail_is_counted_by_its_rule_also_where_it_is_refused() -> None:
    stats = Stats(usages=["SignIn"])
    taken = answered(OK, Accepted("1"), "SignIn")
    ruled = replace(taken.mails[0].choice, rule="shop")
    stats(taken._replace(mails=(replace(taken.mails[0], choice=ruled),)))
    stats(NotTaken(SUBMISSION, Reply(550, "6.0", "no"), 0.1, "shop"))
    assert dict(stats.mails) == {
        ("accepted", "SignIn", "", "shop"): 1,
        ("refused", "", "", "shop"): 1,
    }


def test_a_client_makes_no_series() -> None:
    stats = Stats(usages=["SignIn"])
    for number in range(1000):
        stats(answered(OK, Accepted("1"), f"Usage{number}"))
    assert set(stats.mails) == {("accepted", "other", "")}


def test_an_alarm_stands_until_ses_takes_a_mail() -> None:
    stats = Stats(usages=())
    mail = Mail(SUBMISSION.envelope, b"")
    denied = error_table.outcome_for("AccessDeniedException", 403, "no")
    assert isinstance(denied, Deferred)
    stats(Attempted(SUBMISSION.id, 0, mail, 1, denied, 0.1))
    stats(Attempted(SUBMISSION.id, 0, mail, 1, BUSY, 0.1))  # says nothing of it
    assert stats.alarm is denied
    stats(Attempted(SUBMISSION.id, 0, mail, 1, Accepted("1"), 0.1))
    assert stats.alarm is None


@pytest.mark.parametrize(("part", "value"), [(0.5, 0.1), (0.95, 1.0), (1.0, 1.0)])
def test_a_percentile_is_a_bound_that_so_many_lie_below(
    part: float, value: float
) -> None:
    histogram = Histogram((0.01, 0.1, 1.0))
    for seconds in (0.005, *[0.05] * 10, *[0.5] * 9):
        histogram.add(seconds)
    assert histogram.percentile(part) == value


def test_nothing_has_no_percentile() -> None:
    assert Histogram().percentile(0.5) is None


def test_the_last_hour_is_kept_and_no_more() -> None:
    stats = Stats(usages=(), now=lambda: Now(waiting=7, rate=2.0))
    told: list[Point] = []
    stats.on_point(told.append)
    stats(answered(OK, Accepted("1"), seconds=0.2))
    for at in range(POINTS + 10):
        stats.tick(float(at))
    assert len(stats.points) == POINTS
    first = told[0]
    assert first.counts == {"accepted": 1}
    assert first.p50 is not None
    assert 0.2 <= first.p50 <= 0.25
    assert (first.waiting, first.rate) == (7, 2.0)
    assert told[1].counts == {}
    assert told[1].p50 is None
    assert module.POINT * POINTS == 3600
