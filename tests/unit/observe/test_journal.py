"""The stories of mails: complete, bounded, and without what must not be seen."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from relay.model.feedback import NO_MAIL, Feedback
from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    Sending,
    Sent,
    Superseded,
)
from relay.model.mail import Choice, ListManagement, Mail, SendOptions
from relay.model.outcome import Accepted, Deferred, Outcome, When
from relay.model.reply import Reply
from relay.model.slip import Slip
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.call import Call
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    FedBack,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.journal import AHEAD, LATEST, Journal
from relay.observe.story import MAX_ATTEMPTS, Entry

ID = MailId("k3v9")
ENVELOPE = Envelope("app@acme.example", ("ann@example.com",))
SLIPS = (Slip("unknown_header", "careful"),)
CHOICE = Choice("SignIn", "SignIn", "fr", variables=("code",))
MAIL = Mail(ENVELOPE, b"Subject: secret 123456\r\n\r\n", choice=CHOICE)
DENIED = Deferred(
    Reply(554, "7.1", "Access denied"), When.SLOWLY, detail="403 AccessDenied: no"
)


def journal(max_count: int = 100, max_bytes: int = 10_000_000) -> Journal:
    return Journal(
        subject=lambda mail: "Your code is {{code}}",
        max_count=max_count,
        max_bytes=max_bytes,
        now=lambda: 50.0,
    )


def submission(name: str = ID, *recipients: str) -> Submission:
    to = recipients or ENVELOPE.recipients
    envelope = Envelope("app@acme.example", to)
    return Submission(MailId(name), envelope, b"x" * 9, "10.0.0.1", 42.0, "local")


def attempted(outcome: Outcome, number: int = 0, attempt: int = 1) -> Attempted:
    return Attempted(ID, number, MAIL, attempt, outcome, 0.2)


def answered(reply: Reply, outcome: Outcome | None, *mails: Mail) -> Answered:
    made = mails or (MAIL,)
    return Answered(submission(), made, reply, outcome, 1, 0.3, SLIPS)


def only(kept: Journal) -> Entry:
    [entry] = kept.newest_first()
    return entry


OK = Reply(250, "0.0", "Ok m-1")
QUEUED = Reply(250, "0.0", "queued as k3v9")


def job(state: Sending | Queued, number: int = 0) -> Job:
    return Job(ID, number, MAIL, 1.0, 99.0, state)


def test_a_mail_that_ses_takes_at_once() -> None:
    kept = journal()
    kept(attempted(Accepted("m-1")))
    kept(answered(OK, Accepted("m-1")))
    entry = only(kept)
    assert entry.state == "sent"
    assert (entry.at, entry.peer, entry.listener) == (42.0, "10.0.0.1", "local")
    assert (entry.usage, entry.template, entry.locale) == ("SignIn", "SignIn", "fr")
    assert entry.variables == ("code",)
    assert entry.warnings == ("careful",)
    assert entry.calls == {0: Call("sent", "m-1")}
    assert [(attempt.answer, attempt.at) for attempt in entry.attempts] == [
        ("accepted", 49.8)
    ]
    assert entry.mails == (replace(MAIL, content=b""),)
    assert "123456" not in repr(entry)


def test_what_a_client_wrote_in_vain_is_told_also_where_it_is_refused() -> None:
    kept = journal()
    kept(NotTaken(submission(), Reply(550, "6.0", "no"), 0.1, slips=SLIPS))
    assert only(kept).warnings == ("careful",)


def test_the_rule_of_a_mail_is_told_also_where_it_is_refused() -> None:
    kept = journal()
    kept(NotTaken(submission(), Reply(550, "6.0", "no"), 0.1, "shop"))
    assert only(kept).rule == "shop"
    kept = journal()
    ruled = replace(MAIL, choice=replace(MAIL.choice, rule="shop"))
    kept(answered(OK, Accepted("m-1"), ruled))
    assert only(kept).rule == "shop"


def test_a_mail_that_waits_and_is_sent_later() -> None:
    kept = journal()
    kept(attempted(DENIED))
    kept(answered(QUEUED, DENIED))
    assert only(kept).state == "queued"
    waits = Queued(1, 30.0, DENIED.reply)
    kept(Settled(job(Sending(1)), waits, DENIED, wait=10.0))
    call = only(kept).calls[0]
    assert (call.state, call.due, call.reply) == ("queued", 60.0, str(DENIED.reply))
    kept(attempted(Accepted("m-2"), attempt=2))
    kept(Settled(job(Sending(2)), Sent(2, 5.0, "m-2"), Accepted("m-2")))
    entry = only(kept)
    assert (entry.state, entry.message_ids) == ("sent", ["m-2"])
    assert [attempt.number for attempt in entry.attempts] == [1, 2]
    assert entry.attempts[0].detail == "403 AccessDenied: no"


def test_a_mail_of_several_calls_is_as_bad_as_its_worst() -> None:
    kept = journal()
    kept(attempted(Accepted("m-1"), 0))
    kept(attempted(DENIED, 1))
    kept(answered(QUEUED, None, MAIL, MAIL))
    assert only(kept).state == "queued"
    failed = Failed(2, 9.0, Reply(554, "4.7", "Delivery time expired"))
    reports = ("app@acme.example",)
    kept(Settled(job(Sending(2), 1), failed, None, reports=reports))
    entry = only(kept)
    assert (entry.state, entry.reports) == ("failed", reports)
    assert entry.calls[0].state == "sent"


def test_what_the_client_was_refused_is_not_kept_by_us() -> None:
    kept = journal()
    kept(attempted(DENIED))
    kept(answered(DENIED.reply, DENIED))
    assert only(kept).state == "refused"
    kept(NotTaken(submission("other"), Reply(550, "6.0", "no"), 0.1))
    assert [entry.state for entry in kept.newest_first()] == ["refused", "refused"]


def test_mail_of_an_earlier_start_has_a_story_too() -> None:
    kept = journal()
    kept(Settled(job(Sending(7)), Sent(7, 5.0, "m-9"), Accepted("m-9")))
    entry = only(kept)
    assert (entry.recipients, entry.usage) == (ENVELOPE.recipients, "SignIn")
    assert entry.state == "sent"


def test_mail_that_newer_mail_overtook_names_it() -> None:
    kept = journal()
    kept(answered(QUEUED, None))
    replaced = Replaced(ID, 0, "SignIn", ENVELOPE.recipients, Superseded(1, 5.0))
    kept(Overtaken(replaced, by=MailId("newer")))
    assert (only(kept).state, only(kept).overtaken_by) == ("superseded", "newer")


def test_an_operators_move_is_told() -> None:
    kept = journal()
    kept(answered(QUEUED, None))
    told: list[str] = []
    kept.on_change(told.append)
    kept.moved(ID, 0, Call("dropped"))
    kept.moved(MailId("unknown"), 0, Call("dropped"))
    assert told == [ID]
    assert only(kept).state == "dropped"


def test_the_newest_are_kept() -> None:
    kept = journal(max_count=3)
    for number in range(5):
        kept(NotTaken(submission(str(number)), OK, 0.1))
    assert [entry.id for entry in kept.newest_first()] == ["4", "3", "2"]
    assert [entry.seq for entry in kept.newest_first()] == [5, 4, 3]
    assert kept.get("0") is None
    kept.clear()
    assert len(kept) == 0


def test_what_changed_is_told_whatever_was_forgotten_or_cleared() -> None:
    kept = journal(max_count=LATEST // 2)
    rng = random.Random(7)
    marks = [0]
    for number in range(2 * LATEST):
        name = f"m{rng.randrange(number // 2 + 1)}"
        kept(Answered(submission(name), (MAIL,), QUEUED, None, 1, 0.3))
        if number % 617 == 0:
            marks.append(kept.changes)
        if number == LATEST // 3:
            kept.clear()
            marks.append(kept.changes)
    marks += [kept.changes - 1, kept.changes, kept.changes + 1]
    for mark in marks:
        expected = [one for one in kept.newest_first() if one.changed > mark]
        assert kept.changed_since(mark) == expected


def test_bytes_are_bounded_by_what_recipients_take() -> None:
    kept = journal(max_bytes=500_000)
    many = [f"{number:0>60}@example.com" for number in range(1000)]
    for number in range(20):
        kept(NotTaken(submission(str(number), *many), OK, 0.1))
    assert 1 < len(kept) < 10
    for number in range(20, 60):
        kept(NotTaken(submission(str(number)), OK, 0.1))
    assert len(kept) > 40  # what went gave its bytes back


def test_of_a_mail_that_is_tried_for_days_the_ends_are_kept() -> None:
    kept = journal()
    for attempt in range(1, 301):
        kept(attempted(DENIED, attempt=attempt))
    entry = only(kept)
    assert len(entry.attempts) == MAX_ATTEMPTS
    assert entry.attempts_left_out == 300 - MAX_ATTEMPTS
    assert [entry.attempts[0].number, entry.attempts[-1].number] == [1, 300]


def test_what_happens_after_ses_took_a_mail_at_once_is_added() -> None:
    kept = journal()
    kept(attempted(Accepted("m-1")))
    kept(answered(OK, Accepted("m-1")))
    kept(attempted(DENIED, number=1))
    kept.moved(ID, 1, Call("dropped"))
    entry = only(kept)
    assert entry.calls == {
        0: Call("sent", "m-1"),
        1: Call("dropped"),
    }
    assert [attempt.call for attempt in entry.attempts] == [1, 2]
    assert entry.mails == (replace(MAIL, content=b""),) * 2
    assert (entry.seq, entry.at, entry.state) == (1, 42.0, "dropped")


# What it takes in memory.


def _often_refused(name: str) -> list[Event]:
    """A mail that waits, after 50 attempts that SES refused in many words."""
    mail = Mail(Envelope("app@acme.example", (f"{name}@example.com",)), b"")
    events: list[Event] = [
        Answered(submission(name), (mail,), Reply(250, "0.0", "queued"), None, 0, 0.1)
    ]
    for attempt in range(1, 51):
        said = f"403 AccessDenied: {name} is not authorized, attempt {attempt} " * 3
        denied = replace(DENIED, detail=said)
        events.append(Attempted(MailId(name), 0, mail, attempt, denied, 0.2 * attempt))
    return events


def _taken(name: str, mail: Mail, subject: Submission | None = None) -> list[Event]:
    accepted = Accepted(f"m-{name}")
    return [
        Attempted(MailId(name), 0, mail, 1, accepted, 0.2),
        Answered(subject or submission(name), (mail,), OK, accepted, 1, 0.3),
    ]


def _many_tags(name: str) -> list[Event]:
    tags = tuple((f"t{name}{number}", f"v{name}{number}") for number in range(19_000))
    return _taken(name, replace(MAIL, options=SendOptions(tags=tags)))


def _long_usage(name: str) -> list[Event]:
    long = Choice(name * 50_000, "é" * 200_000, variables=(name * 90_000, "\U0001f600"))
    return _taken(name, replace(MAIL, choice=long))


def _many_variables(name: str) -> list[Event]:
    some = tuple(f"variable {name} {number}" for number in range(20_000))
    return _taken(name, replace(MAIL, choice=Choice("SignIn", variables=some)))


def _long_options(name: str) -> list[Event]:
    listed = ListManagement(name * 20_000, name * 20_000)
    arn, tenant = f"arn{name}" * 20_000, f"tenant{name}" * 20_000
    long = SendOptions(name * 20_000, arn, arn, tenant, listed)
    return _taken(name, replace(MAIL, options=long))


def _many_calls(name: str) -> list[Event]:
    to = [
        tuple(f"{name}-{call}-{n}@example.com" for n in range(50)) for call in range(20)
    ]
    mails = tuple(Mail(Envelope(None, some), b"") for some in to)
    everyone = submission(name, *(one for some in to for one in some))
    events: list[Event] = [Answered(everyone, mails, QUEUED, None, 0, 0.1)]
    for number, mail in enumerate(mails):
        taken = Accepted(f"m-{name}-{number}")
        events.append(Attempted(MailId(name), number, mail, 1, taken, 0.2))
    return events


def _emoji(name: str) -> list[Event]:
    return _taken(name, replace(MAIL, choice=Choice(f"{name}\U0001f600" + "x" * 250)))


def _ordinary(name: str) -> list[Event]:
    to = (f"{name}@example.com",)
    mail = Mail(Envelope(f"{name}@acme.example", to), b"", choice=CHOICE)
    return _taken(name, mail, submission(name, *to))


LARGE: dict[Callable[[str], list[Event]], int] = {
    _often_refused: 500,
    _many_tags: 60,
    _long_usage: 2500,
    _many_variables: 60,
    _long_options: 1500,
    _many_calls: 100,
    _emoji: 2500,
    _ordinary: 4000,
}


@pytest.mark.parametrize("events", LARGE)
def test_all_of_an_entry_counts_towards_the_bytes(
    events: Callable[[str], list[Event]],
) -> None:
    bound = 1_000_000
    gc.collect()
    tracemalloc.start()
    try:
        kept = journal(max_count=10_000, max_bytes=bound)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(LARGE[events]):
            for event in events(f"n{number:0>6}"):
                kept(event)
        del event
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used < bound
    # Nor does it count so much that little is kept.
    assert used > bound / 4 or len(kept) == LARGE[events]
    newest = next(kept.newest_first())
    assert newest.id == f"n{LARGE[events] - 1:0>6}"
    assert kept._bytes == sum(entry.bytes() for entry in kept.newest_first())


def test_ten_thousand_ordinary_mails_are_kept() -> None:
    kept = Journal(subject=lambda mail: "Your code is {{code}}", now=lambda: 50.0)
    for number in range(10_001):
        for event in _ordinary(f"n{number:0>6}"):
            kept(event)
    assert len(kept) == 10_000


def test_what_is_too_long_to_show_is_cut() -> None:
    kept = journal()
    tags = tuple((f"name{number}", "v" * 400) for number in range(60))
    choice = Choice("u" * 1000, variables=tuple(map(str, range(200))))
    mail = replace(MAIL, options=SendOptions(tags=tags), choice=choice)
    for event in _taken(ID, mail):
        kept(event)
    kept.moved(ID, 0, Call("sent", "m-1"))
    entry = only(kept)
    assert (len(entry.usage), len(entry.variables)) == (300, 100)
    [shown] = entry.mails
    assert shown.options.tags == tuple((f"name{n}", "v" * 300) for n in range(50))


def told(name: str, at: float = 60.0, message_id: str = "m-1") -> FedBack:
    return FedBack(MailId(name), Feedback("delivery", message_id, at))


def test_what_ses_tells_later_is_added_and_is_a_change() -> None:
    kept = journal()
    changed: list[MailId] = []
    kept.on_change(changed.append)
    for event in _taken("a", MAIL):
        kept(event)
    before, changed[:] = kept.changes, []
    kept(told("a"))
    kept(told("a"))
    (entry,) = kept.changed_since(before)
    assert [(one.kind, one.at) for one in entry.facts] == [("delivery", 60.0)]
    assert (entry.state, entry.fate) == ("sent", "delivered")
    assert (kept.changes, changed) == (before + 1, ["a"])


def test_what_ses_tells_before_its_own_answer_waits_for_the_mail() -> None:
    kept = journal()
    for at in range(3):
        kept(told("a", at))
    kept(told(NO_MAIL))
    assert len(kept) == 0
    for event in _taken("a", MAIL):
        kept(event)
    assert only(kept).fate == "delivered"
    for number in range(AHEAD + 1):
        kept(told(f"other-{number}"))
    for name in ("other-0", "other-1"):
        for event in _taken(name, MAIL):
            kept(event)
    fates = {entry.id: entry.fate for entry in kept.newest_first()}
    assert fates == {"a": "delivered", "other-0": "", "other-1": "delivered"}


def test_a_mail_is_found_by_ses_id_as_long_as_it_is_kept() -> None:
    kept = Journal(subject=lambda _: "", max_count=2, by_message_id=True)
    for name in ("a", "b", "c"):
        for event in _taken(name, MAIL):
            kept(event)
    found = [kept.mail_of(f"m-{name}") for name in ("a", "b", "c", "d")]
    assert found == [None, "b", "c", None]
    kept.forget(MailId("b"))
    assert kept.mail_of("m-b") is None
    kept.clear()
    assert kept.mail_of("m-c") is None
    assert journal().mail_of("m-a") is None
