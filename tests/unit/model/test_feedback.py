"""What SES says of a mail after it took it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from relay.model.feedback import (
    WORDS,
    Feedback,
    Kind,
    Recipient,
    id_of,
    tag_of,
)
from relay.model.mail import TAG
from relay.model.submission import MailId, new_id

BOUNCE = Feedback(
    "bounce",
    "0102018f",
    1_700_000_000.5,
    recipients=(Recipient("a@example.com", "5.1.1", "smtp; 550 5.1.1 unknown"),),
    type="Permanent",
    subtype="General",
)


def test_each_kind_has_a_word() -> None:
    assert list(WORDS) == list(get_args(Kind))


def test_a_hard_bounce_is_a_bounce_of_the_permanent_kind() -> None:
    soft = replace(BOUNCE, type="Transient", subtype="MailboxFull")
    delay = replace(BOUNCE, kind="delay")
    assert [one.is_hard for one in (BOUNCE, soft, delay)] == [True, False, False]


@pytest.mark.parametrize(
    ("type", "subtype", "what"),
    [
        ("Permanent", "General", "Permanent/General"),
        ("MailboxFull", "", "MailboxFull"),
        ("", "", ""),
    ],
)
def test_type_and_subtype_are_one_word(type: str, subtype: str, what: str) -> None:  # noqa: A002
    assert replace(BOUNCE, type=type, subtype=subtype).what == what


def test_copies_of_one_fact_have_one_key_and_others_have_others() -> None:
    both = replace(
        BOUNCE, recipients=(Recipient("a@x.example"), Recipient("b@x.example"))
    )
    turned = replace(both, recipients=both.recipients[::-1])
    others = [
        replace(BOUNCE, kind="delay"),
        replace(BOUNCE, message_id="0102018e"),
        replace(BOUNCE, at=1_700_000_001.5),
        replace(BOUNCE, link="https://shop.example/"),
        both,
    ]
    assert replace(BOUNCE).key == BOUNCE.key
    assert turned.key == both.key
    assert len({one.key for one in (BOUNCE, *others)}) == len(others) + 1


@pytest.mark.parametrize("part", ["", ".0.r1"])
def test_an_id_is_found_again_by_its_tag(part: str) -> None:
    mail_id = MailId(new_id() + part)
    assert TAG.fullmatch(tag_of(mail_id))
    assert id_of(tag_of(mail_id)) == mail_id


def test_a_link_is_in_no_text_about_a_click() -> None:
    click = Feedback("click", "0102", 1.0, link="https://shop.example/?code=123456")
    assert "123456" not in repr(click)
