"""Jobs as objects and hints, and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.fleet import hint as hints
from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.record import Later, Standing
from relay.model.dsn import Dsn
from relay.model.job import Failed, Job, Queued, Sending
from relay.model.mail import (
    Choice,
    ListManagement,
    Mail,
    Priority,
    SendOptions,
)
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId
from relay.queue.rows import Unreadable

DOWN = Reply(451, "4.1", "SES cannot be reached")
MAIL = Mail(
    Envelope(
        None,
        ("c@d.example", '"a b"@D.Example'),
        Dsn("env", True, ("c@d.example",), (("c@d.example", "rfc822;c"),)),
    ),
    b"Subject: x\r\n\r\n\n\x00\xff{}",
    SendOptions(
        "news",
        "arn:1",
        "arn:2",
        "tenant",
        ListManagement("list", "topic"),
        (("a", "b"), ("a", "c")),
        "rule's",
        "brand",
        untracked=True,
    ),
    Choice(
        "SignIn",
        "Generic",
        "fr",
        600.0,
        supersedes=True,
        variables=("code",),
        priority=Priority.HIGH,
        rule="Größe",
    ),
)
STATES = (
    Queued(2, 1_800_000_000.25, DOWN, maybe_sent=True),
    Sending(3, maybe_sent=True, last=DOWN),
    Failed(4, 1_800_000_000.5, DOWN, maybe_sent=True),
)


def job(state: Queued | Sending | Failed) -> Job:
    return Job(
        MailId("t49pm4svb9spkr"),
        3,
        MAIL,
        1_800_000_000.125,
        1_800_086_400.0,
        state,
        report=True,
        send_at=1_800_000_500.0,
    )


@pytest.mark.parametrize("state", STATES, ids=lambda one: type(one).__name__)
def test_a_job_comes_back_whole(state: Queued | Sending | Failed) -> None:
    stands = Standing(state, 2, 60.0, "hand", 1_800_000_900.0)
    found = records.read(records.record(job(state), stands, now=1_800_000_000.5))
    assert found.job == job(state)
    assert (found.standing, found.calls, found.shared, found.whole) == (
        *(stands, 1, False, True),
    )


def test_of_several_calls_the_content_stands_elsewhere() -> None:
    stored = records.record(job(STATES[0]), Standing(STATES[0]), calls=3, now=0.0)
    found = records.read(stored)
    assert (found.job.mail.content, found.size) == (b"", len(MAIL.content))
    assert (found.calls, found.shared, found.whole) == (3, True, True)


def test_a_content_that_was_cut_is_not_whole() -> None:
    stored = records.record(job(STATES[0]), Standing(STATES[0]), now=0.0)
    assert not records.read(stored[:-1]).whole
    assert records.read(stored[:-1], whole=False).whole  # nobody asked for it


@pytest.mark.parametrize("state", STATES, ids=lambda one: type(one).__name__)
def test_a_state_comes_back(state: Queued | Sending | Failed) -> None:
    stands = Standing(state, 1, 20.0, "hand", 5.0)
    assert records.standing(stands.to_bytes(1_800_000_000.5)) == stands


def test_a_hint_comes_back_and_tells_nothing_of_whom_the_mail_is_for() -> None:
    stands = Standing(STATES[0], 2, expires_at=7.0)
    hint = hints.hint_of(job(STATES[0]), stands, 99, '"tag"')
    assert hints.read(hint.to_text()) == hint
    assert hint.name == "t49pm4svb9spkr.3"
    assert "@" not in hint.to_text()


def test_what_a_later_release_wrote_is_known_as_such() -> None:
    stored = records.record(job(STATES[0]), Standing(STATES[0]), now=0.0)
    with pytest.raises(Later):
        records.read(stored.replace(b'"v": 1', b'"v": 2', 1))
    text = hints.hint_of(job(STATES[0]), Standing(STATES[0]), 9).to_text()
    with pytest.raises(Later):
        hints.read(json.dumps({**json.loads(text), "v": 9}))


@pytest.mark.parametrize("name", ["../x.0", "a/b.0", "", "t49", "x" * 200 + ".0"])
def test_a_hint_names_no_other_object(name: str) -> None:
    text = hints.hint_of(job(STATES[0]), Standing(STATES[0]), 9).to_text()
    with pytest.raises(Unreadable):
        hints.read(json.dumps({**json.loads(text), "job": name}))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_are_not(stored: bytes) -> None:
    for read in (records.read, records.standing):
        with pytest.raises((Later, Unreadable)):
            read(stored)


@given(
    st.dictionaries(
        st.sampled_from(["v", "job", "etag", "size", "due", "attempts", "maybe"]),
        st.one_of(st.none(), st.integers(), st.text(), st.floats(), st.just([])),
    )
)
def test_any_object_is_a_hint_or_is_not(found: dict[str, object]) -> None:
    try:
        hints.read(json.dumps(found))
    except (Later, Unreadable):
        pass


def test_a_report_is_named_by_the_call_that_it_is_about() -> None:
    about = job(STATES[0])._replace(id=MailId(keys.report_id("t49pm4svb9spkr.3", 1)))
    assert keys.name_of(about) == "t49pm4svb9spkr.3.r1"
    assert keys.mail_key(keys.name_of(about)).startswith(
        keys.mail_key("t49pm4svb9spkr.3")
    )
