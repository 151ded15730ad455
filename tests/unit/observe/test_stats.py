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
from relay.model.slip import KINDS, Slip
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import Answered, Attempted, NotTaken
from relay.observe.ring import Point
from relay.observe.spread import ERROR
from relay.observe.stats import GROUPS, Now, Stats, answer_class
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


def test_what_clients_wrote_in_vain_is_counted_by_kind() -> None:
    stats = Stats(usages=["SignIn"])
    assert set(stats.slips.values()) == {0}  # each series is there from the start
    slip = Slip("unknown_header", "X-Relay-Usgae dropped")
    stats(answered(OK, Accepted("1"))._replace(slips=(slip, slip)))
    stats(NotTaken(SUBMISSION, Reply(550, "6.0", "no"), 0.1, slips=(slip,)))
    assert stats.slips["unknown_header"] == 3
    assert set(stats.slips) == set(KINDS)


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
    assert [(key, one.outcome) for key, one in stats.alarms.items()] == [
        (("", ""), denied)
    ]
    stats(Attempted(SUBMISSION.id, 0, mail, 1, Accepted("1"), 0.1))
    assert stats.alarms == {}


def test_every_class_of_an_answer_is_in_one_group() -> None:
    rows = [
        row
        for _, row in inspect.getmembers(error_table)
        if isinstance(row, Deferred | Rejected)
    ]
    grouped = [word for words in GROUPS.values() for word in words]
    assert len(grouped) == len(set(grouped))
    assert {answer_class(row) for row in rows} <= set(grouped)
    assert {"accepted", "not_verified", "unknown"} <= set(grouped)


def test_a_point_is_what_happened_since_the_last_one() -> None:
    stats = Stats(usages=(), now=lambda: Now(waiting=7, oldest=3.0, rate=2.0))
    stats(answered(OK, Accepted("1"), seconds=9.0))
    stats.tick(1.0)  # of which nobody wanted to know
    told: list[Point] = []
    stats.on_point(told.append)
    mail = Mail(SUBMISSION.envelope, b"")
    stats(Attempted(SUBMISSION.id, 0, mail, 1, BUSY, 0.1))
    stats(Attempted(SUBMISSION.id, 0, mail, 2, Accepted("1"), 0.1))
    stats(answered(OK, Accepted("1"), seconds=0.2))
    stats(NotTaken(SUBMISSION, Reply(550, "6.0", "no"), 0.4))
    stats.tick(6.0)
    stats.tick(11.0)
    first, second = told
    assert first.counts == {"accepted": 1, "refused": 1}
    assert first.answers == {"throttled": 1, "accepted": 1}
    assert first.percentile(0.5) == pytest.approx(0.2, rel=ERROR)
    assert first.percentile(1.0) == pytest.approx(0.4, rel=ERROR)
    assert (first.at, first.seconds) == (6.0, 5.0)
    assert (first.waiting, first.oldest, first.rate) == (7, 3.0, 2.0)
    assert (second.counts, second.answers, second.percentile(0.5)) == ({}, {}, None)
