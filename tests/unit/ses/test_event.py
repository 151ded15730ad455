"""SES' events are read, whatever they come in; nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.feedback import Feedback, Kind, Recipient
from relay.model.submission import MailId
from relay.ses.event import (
    MAX_ADDRESS,
    MAX_LINK,
    MAX_RECIPIENTS,
    MAX_TEXT,
    MAX_WORD,
    MOST,
    NoFact,
    read,
)
from tests.ses_events import (
    ACCEPTED_AT,
    ENVELOPES,
    LATER_AT,
    MESSAGE_ID,
    OWN,
    SECRET_LINK,
    SNS_TEST,
    bare,
    event,
    sns,
)

SENT_AT = 1772359210.0
ANN = Recipient("ann@example.com")


def fact(kind: Kind, at: float = LATER_AT, **more: Any) -> Feedback:  # noqa: ANN401
    known = {"recipients": (ANN,), "accepted_at": ACCEPTED_AT, **more}
    return Feedback(kind, MESSAGE_ID, at, destination=(ANN.address,), **known)


FACTS = {
    "Send": fact("send", ACCEPTED_AT),
    "Delivery": fact(
        "delivery",
        recipients=(ANN._replace(diagnostic="250 2.0.0 Ok: queued as 4F1"),),
    ),
    "Bounce": fact(
        "bounce",
        recipients=(
            Recipient(
                "ann@example.com",
                "5.1.1",
                "smtp; 550 5.1.1 <ann@example.com> unknown",
            ),
        ),
        type="Permanent",
        subtype="General",
    ),
    "Complaint": fact("complaint", complaint="abuse"),
    "DeliveryDelay": fact(
        "delay",
        recipients=(
            Recipient("ann@example.com", "4.2.2", "smtp; 452 4.2.2 mailbox full"),
        ),
        type="MailboxFull",
    ),
    "Reject": fact("reject", ACCEPTED_AT, reason="Bad content"),
    "Open": fact("open"),
    "Click": fact("click", link=SECRET_LINK),
    "Rendering Failure": fact(
        "rendering_failure", ACCEPTED_AT, reason="Attribute 'name' is missing"
    ),
    "Subscription": fact("subscription"),
}


def why(body: str) -> str:
    """Why it tells nothing of a mail."""
    with pytest.raises(NoFact) as caught:
        read(body, sent_at=SENT_AT)
    return caught.value.why


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("kind", OWN)
def test_each_kind_is_read_in_each_envelope(kind: str, envelope: str) -> None:
    body = ENVELOPES[envelope](event(kind))
    assert read(body, sent_at=SENT_AT) == FACTS[kind]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("kind", ["Delivery", "Bounce", "Complaint"])
def test_the_older_notifications_say_the_same(kind: str, envelope: str) -> None:
    body = ENVELOPES[envelope](event(kind, key="notificationType"))
    assert read(body, sent_at=SENT_AT) == FACTS[kind]


def test_tags_name_the_relays_mail_and_its_usage() -> None:
    found = event(mail_id="06db0v9t3nq8xk_0_r1", tags={"kind": "SignIn"})
    told = read(bare(found), sent_at=SENT_AT, usage_tags=("usage", "kind"))
    assert (told.mail_id, told.usage) == (MailId("06db0v9t3nq8xk.0.r1"), "SignIn")


@pytest.mark.parametrize("tag", [[], [""], "a b", ["a\nb"], {"a": 1}, 7, ["x" * 257]])
def test_a_tag_that_is_none_names_nothing(tag: object) -> None:
    found = event()
    found["mail"]["tags"] = {"relay_id": tag, "usage": tag}
    told = read(bare(found), sent_at=SENT_AT)
    assert (told.mail_id, told.usage) == ("", "")


def test_to_whom_the_call_went_is_told_by_any_fact_about_one_of_them() -> None:
    found = event("Bounce", to=("Ann Lee <ann@example.com>", "bob@example.com", ""))
    told = read(bare(found), sent_at=SENT_AT)
    assert told.destination == ("ann@example.com", "bob@example.com")
    assert [one.address for one in told.recipients] == ["ann@example.com"]


def test_what_is_about_one_of_several_names_nobody() -> None:
    several = ("ann@example.com", "bob@example.com")
    who = {
        kind: [one.address for one in read(bare(found), sent_at=SENT_AT).recipients]
        for kind in OWN
        for found in [event(kind, to=several)]
    }
    assert who == {
        "Send": [*several],
        "Delivery": ["ann@example.com"],
        "Bounce": ["ann@example.com"],
        "Complaint": ["ann@example.com"],
        "DeliveryDelay": ["ann@example.com"],
        "Reject": [*several],
        "Open": [],
        "Click": [],
        "Rendering Failure": [*several],
        "Subscription": [],
    }


def test_a_bounce_that_names_nobody_is_that_of_the_only_one_it_can_be() -> None:
    nobody: dict[str, Any] = {"bouncedRecipients": []}
    alone = read(bare(event("Bounce", own=nobody)), sent_at=SENT_AT)
    both = event("Bounce", own=nobody, to=("ann@example.com", "bob@example.com"))
    assert alone.recipients == (ANN,)
    assert read(bare(both), sent_at=SENT_AT).recipients == ()


def test_of_a_mailbox_only_its_address_is_taken() -> None:
    found = event("Open", to=("Ann Lee <ann@example.com>",))
    assert read(bare(found), sent_at=SENT_AT).recipients == (ANN,)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-01T10:00:02Z", 1772359202.0),
        ("2026-03-01T12:00:02.5+02:00", 1772359202.5),
        ("2026-03-01T10:00:02", 1772359202.0),
        ("yesterday", ACCEPTED_AT),
        (1772359202, ACCEPTED_AT),
        ("0001-01-01T00:00:00+23:59", ACCEPTED_AT),
    ],
)
def test_times_are_read_as_far_as_they_are_times(text: object, at: float) -> None:
    assert read(bare(event("Open", own={"timestamp": text})), sent_at=SENT_AT).at == at


def test_without_any_time_it_happened_when_the_message_was_sent() -> None:
    found = event("Send")
    del found["mail"]["timestamp"]
    told = read(bare(found), sent_at=SENT_AT)
    assert (told.at, told.accepted_at) == (SENT_AT, None)


def test_words_that_are_not_known_yet_are_kept() -> None:
    own = {"bounceType": "Permanent", "bounceSubType": "OnAPlanetSuppressionList"}
    told = read(bare(event("Bounce", own=own)), sent_at=SENT_AT)
    assert told.what == "Permanent/OnAPlanetSuppressionList"


def test_a_text_is_one_line_of_bounded_length() -> None:
    steers = "a\r\nb\x1b[31m\u202e\ud800" + "x" * 10_000
    own = {
        "bounceType": steers,
        "bouncedRecipients": [
            {"emailAddress": steers, "status": steers, "diagnosticCode": steers}
        ],
    }
    told = read(bare(event("Bounce", own=own)), sent_at=SENT_AT)
    (one,) = told.recipients
    lengths = list(map(len, (told.type, *one)))
    assert lengths == [MAX_WORD, MAX_ADDRESS, MAX_WORD, MAX_TEXT]
    assert one.address.startswith("a  b [31m ?x")
    click = read(bare(event("Click", own={"link": steers})), sent_at=SENT_AT)
    assert len(click.link) == MAX_LINK
    assert told.key != click.key


def test_recipients_are_bounded() -> None:
    many = {"recipients": [f"{number}@a.example" for number in range(5000)]}
    told = read(bare(event(own=many)), sent_at=SENT_AT)
    assert len(told.recipients) == MAX_RECIPIENTS


@pytest.mark.parametrize(
    "body",
    [
        SNS_TEST,
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "",
        "hello",
        bare({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "hi"}),
    ],
)
def test_first_words_are_tests(body: str) -> None:
    assert why(body) == "test"


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "7",
        "null",
        '"text"',
        "{}",
        '{"eventType": 7, "mail": {}}',
        '{"eventType": "Bounce"}',
        '{"eventType": "Bounce", "mail": []}',
        '{"notificationType": "Received", "mail": {"messageId": "1"}}',
        '{"eventType": "Teleported", "mail": {"messageId": "1"}}',
        '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}',
        '{"Message": "text"}',
        '{"detail": {"eventType": "Bounce"}}',
        sns(sns(sns(sns(event())))),
        sns("[]"),
        sns(event()).replace("Notification", "SubscriptionConfirmation", 1),
    ],
)
def test_json_that_is_no_event_about_mail_is_unknown(body: str) -> None:
    assert why(body) == "unknown"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        '{"eventType": "Bounce", "mail": {"messageId": "1"}',
        '{"eventType": "Bounce", "mail": {"messageId": "1"}}',
        '{"eventType": "Bounce", "mail": {"messageId": "1"}, "bounce": []}',
        '{"eventType": "Delivery", "mail": {"messageId": 1}, "delivery": {}}',
        '{"eventType": "Send", "mail": {"messageId": ""}}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": ' + "[" * 60 + "]" * 60 + "}",
        "[" * 100_000,
        '{"a": "' + "x" * MOST + '"}',
        sns('{"eventType": "Bounce"'),
        sns('{"a": ' + "[" * 60 + "]" * 60 + "}"),
    ],
)
def test_an_event_that_cannot_be_one_is_malformed(body: str) -> None:
    assert why(body) == "malformed"


def test_no_word_of_a_message_is_in_what_is_said_of_it() -> None:
    for body in ('{"code": 123456', '{"eventType": "123456", "mail": {}}', "123456 x"):
        with pytest.raises(NoFact) as caught:
            read(body, sent_at=SENT_AT)
        assert "123456" not in str(caught.value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("eventType", "notificationType", "mail", "detail", "detail-type"),
                    *("Message", "TopicArn", "Type", "bounce", "delivery", "tags"),
                    *("messageId", "destination", "timestamp", "relay_id", "status"),
                    *("bouncedRecipients", "recipients", "emailAddress", "bounceType"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(ANY, st.sampled_from(list(OWN)), st.sampled_from(list(ENVELOPES)), st.data())
def test_whatever_stands_in_an_event_it_is_a_fact_or_none(
    anything: object, kind: str, envelope: str, data: st.DataObject
) -> None:
    found = event(kind)
    place = data.draw(st.sampled_from([*found, *found["mail"]]))
    (found if place in found else found["mail"])[place] = anything
    for body in (ENVELOPES[envelope](found), json.dumps(anything)):
        try:
            told = read(body, sent_at=SENT_AT)
        except NoFact:
            continue
        assert told.message_id
        assert len(told.key) == 32
        texts = [told.message_id, told.mail_id, told.type, told.subtype, told.link]
        texts += [text for one in told.recipients for text in one]
        for text in texts:
            text.encode()
            assert "\n" not in text


@given(st.text())
def test_whatever_text_comes_it_is_no_fact(text: str) -> None:
    with pytest.raises(NoFact):
        read(text, sent_at=SENT_AT)
