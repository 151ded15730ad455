"""What a rule changes in a mail's header, with a template and without."""

from __future__ import annotations

from typing import Any

import pytest

from relay.content.header import parse
from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.mail import Priority
from relay.model.reply import Refused
from relay.templates.catalog import Templates
from relay.templates.source import Source
from tests.unit.rules.mails import rules, submission

REPLY_TO = "r@acme.example"
TEMPLATES = Templates(
    [
        Source(
            "SignIn", "{{message.from}}", "<p>1</p>", send_from="Sign <s@acme.example>"
        ),
        Source(
            "Register", "R", "<p>1</p>", send_from="{{who}}", reply_to="r@acme.example"
        ),
    ],
    missing="empty",
)
NEW = {"set_from": "Acme <noreply@acme.example>"}
BODY = "\r\nHello\r\n"


def header(
    rule: dict[str, Any],
    fields: str,
    *,
    usage: str = "",
    sender: str | None = "app@shop.example",
) -> list[str]:
    """The fields that SES gets, but for the usual ones of a template."""
    preparation = Preparation(
        templates=TEMPLATES, rules=rules({**rule, "usage": usage})
    )
    came = submission(fields + BODY, sender=sender)
    [mail] = preparation.prepare(came).mails
    usual = {"mime-version", "content-type"} if usage else set()
    return [
        f"{field.name}: {field.value}"
        for field in parse(mail.content).fields
        if field.key not in usual
    ]


FIELDS = "From: Shop <app@shop.example>\r\nSubject: Hi\r\n"


def test_set_from_makes_the_one_from_and_keeps_the_old_as_reply_to() -> None:
    fields = (
        "Received: by a.example\r\nDKIM-Signature: v=1; b=x;\r\n y\r\n"
        "From: Shop <app@shop.example>\r\nSender: x@shop.example\r\n"
        "Subject: Hi\r\nFrom: second@shop.example\r\n"
    )
    assert header(NEW, fields) == [
        "From: Acme <noreply@acme.example>",
        "Received: by a.example",
        "Subject: Hi",
        "Reply-To: Shop <app@shop.example>",
    ]


@pytest.mark.parametrize(
    ("keep", "old", "lines"),
    [
        ("name", "Shop <app@shop.example>", ["From: Shop <noreply@acme.example>"]),
        ("name", "app@shop.example", ["From: Acme <noreply@acme.example>"]),
        (
            "name",
            '"Shop, \\"A\\"" <app@shop.example>, b@b.example',
            ['From: "Shop, \\"A\\"" <noreply@acme.example>'],
        ),
        (
            "name",
            "app@shop.example (The Shop)",
            ["From: The Shop <noreply@acme.example>"],
        ),
        (
            "name",
            "=?utf-8?q?Caf=C3=A9=2C_x=40y?= <app@shop.example>",
            ["From: =?utf-8?q?Caf=C3=A9=2C_x=40y?= <noreply@acme.example>"],
        ),
        ("drop", "Shop <app@shop.example>", ["From: Acme <noreply@acme.example>"]),
        (
            "reply-to",
            "=?utf-8?q?Caf=C3=A9?= <app@shop.example>",
            [
                "From: Acme <noreply@acme.example>",
                "Reply-To: =?utf-8?q?Caf=C3=A9?= <app@shop.example>",
            ],
        ),
        # No answer gets there.
        ("reply-to", "root", ["From: Acme <noreply@acme.example>"]),
        ("reply-to", "root (Cron Daemon)", ["From: Acme <noreply@acme.example>"]),
        ("name", "root (Cron Daemon)", ["From: Cron Daemon <noreply@acme.example>"]),
        ("reply-to", "noreply@acme.example", ["From: Acme <noreply@acme.example>"]),
    ],
)
def test_what_becomes_of_the_old_from(keep: str, old: str, lines: list[str]) -> None:
    assert header({**NEW, "keep_from": keep}, f"From: {old}\r\n") == lines


def test_a_reply_to_stays_as_it_is() -> None:
    fields = FIELDS + "Reply-To: help@shop.example\r\n"
    assert header(NEW, fields) == [
        "From: Acme <noreply@acme.example>",
        "Subject: Hi",
        "Reply-To: help@shop.example",
    ]


@pytest.mark.parametrize("sender", [None, "root", "root@box.local"])
def test_a_mail_without_a_from_gets_one(sender: str | None) -> None:
    assert header(NEW, "Subject: Hi\r\n", sender=sender) == [
        "From: Acme <noreply@acme.example>",
        "Subject: Hi",
    ]
    with pytest.raises(Refused, match="No From header"):
        header({}, "Subject: Hi\r\n", sender=None)


def test_set_from_beats_a_templates_and_message_from_is_the_originals() -> None:
    fields = FIELDS + "Sender: x@y.example\r\nDKIM-Signature: v=1\r\n"
    assert header(NEW, fields, usage="SignIn") == [
        "From: Acme <noreply@acme.example>",
        "To: ann@example.net",
        "Subject: Shop <app@shop.example>",
        "Reply-To: Shop <app@shop.example>",
    ]
    # A template whose own makes no address is no obstacle; its Reply-To stays.
    assert header(NEW, "Subject: Hi\r\n", usage="Register", sender=None) == [
        "From: Acme <noreply@acme.example>",
        "Reply-To: r@acme.example",
        "To: ann@example.net",
        "Subject: R",
    ]


def test_headers_are_added_where_the_mail_has_none() -> None:
    rule = {
        "headers": {
            "List-Unsubscribe": "<https://shop.example/" + "u" * 100 + ">",
            "Feedback-ID": "reset:shop",
            "X-Note": "Café",
            "subject": "Other",
        }
    }
    fields = FIELDS + "feedback-id: mine\r\n"
    added = [
        "List-Unsubscribe: <https://shop.example/" + "u" * 100 + ">",
        "X-Note: =?utf-8?q?Caf=C3=A9?=",
    ]
    whole = header(rule, fields)
    assert sorted(whole) == sorted(
        ["From: Shop <app@shop.example>", "Subject: Hi", "feedback-id: mine", *added]
    )
    assert set(added) <= set(header(rule, fields, usage="SignIn"))
    assert "Feedback-ID: reset:shop" in header(rule, FIELDS, usage="SignIn")


def test_a_rules_reply_to_goes_before_the_old_from() -> None:
    rule = {**NEW, "headers": {"Reply-To": "help@acme.example"}}
    assert header(rule, FIELDS)[-1] == "Reply-To: help@acme.example"
    assert sum(line.startswith("Reply-To") for line in header(rule, FIELDS)) == 1


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_fields_are_added_to_a_mail_without_a_body(end: str) -> None:
    made = Preparation(templates=TEMPLATES, rules=rules({"headers": {"X-A": "b"}}))
    [mail] = made.prepare(submission(f"From: a@b.example{end}")).mails
    assert mail.content.rstrip(b"\r\n") == b"From: a@b.example\r\nX-A: b"


def test_tags_configuration_set_and_priority_of_a_rule() -> None:
    rule = {
        "configuration_set_name": "news",
        "tags": {"app": "shop", "team": "a", "usage": "x"},
        "priority": "low",
    }
    settings: dict[str, Any] = {
        "templates": TEMPLATES,
        "accounts": SenderAccounts(
            [
                SenderAccount(
                    tags={"app": "all", "env": "p"},
                    client_headers=["X-SES-MESSAGE-TAGS", "X-SES-CONFIGURATION-SET"],
                )
            ]
        ),
    }
    preparation = Preparation(rules=rules(rule), **settings)
    [mail] = preparation.prepare(submission(FIELDS + BODY)).mails
    assert mail.options.rules_set == "news"
    assert mail.options.configuration_set == ""
    assert dict(mail.options.tags) == {
        "app": "shop",
        "env": "p",
        "team": "a",
        "usage": "x",
    }
    assert mail.choice.priority is Priority.LOW

    asked = "X-SES-MESSAGE-TAGS: team=b\r\nX-SES-CONFIGURATION-SET: mine\r\n"
    preparation = Preparation(rules=rules({**rule, "usage": "SignIn"}), **settings)
    [mail] = preparation.prepare(submission(FIELDS + asked + BODY)).mails
    assert (mail.options.configuration_set, mail.options.rules_set) == ("mine", "news")
    assert dict(mail.options.tags) == {
        "app": "shop",
        "env": "p",
        "team": "b",
        "usage": "SignIn",
    }
    assert mail.choice.priority is Priority.LOW
