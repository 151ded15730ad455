"""Which account a mail leaves by, and what that says of its call."""

from __future__ import annotations

from typing import Any

import pytest

from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.mail import Mail
from relay.model.submission import Envelope, MailId, Submission
from relay.rules.rules import Rules
from relay.rules.source import Source as RuleSource
from relay.templates.catalog import Templates
from relay.templates.source import Source

WRITTEN = [
    Source("Hi", "s", "<p>x</p>"),
    Source("Ours", "s", "x", send_from="a@b.example"),
]
TEMPLATES = Templates(WRITTEN, email_address="Acme <noreply@acme.example>")
BRAND = SenderAccount(
    "b",
    domains=["b.example", "*.b.example"],
    client_headers=["X-SES-TENANT"],
    tags={"app": "b"},
    usage_tag="",
    reencode=False,
    templates=Templates(WRITTEN, email_address="noreply@b.example"),
)
OURS = SenderAccount(client_headers=["X-SES-CONFIGURATION-SET"], tags={"app": "ours"})
ACCOUNTS = SenderAccounts([OURS, BRAND])


def mail(header: str, **more: Any) -> Mail:  # noqa: ANN401
    sender = more.pop("sender", "app@acme.example")
    content = f"{header}\r\n\r\nx\r\n".encode()
    preparation = Preparation(templates=TEMPLATES, accounts=ACCOUNTS, **more)
    envelope = Envelope(sender, ("c@d.example",))
    [made] = preparation.prepare(Submission(MailId("k"), envelope, content)).mails
    return made


@pytest.mark.parametrize(
    ("header", "account"),
    [
        ("From: a@b.example", "b"),
        ("From: =?utf-8?q?B=C3=A9?= <A@B.Example>", "b"),
        ('Subject: x\r\nfrom:\r\n "a@acme.example"\r\n <x@mail.b.example>', "b"),
        ("From: a@notb.example", ""),
        # What a name holds, encoded, is no address.
        ("From: =?utf-8?q?=3Ca=40b.example=3E?= <x@acme.example>", ""),
        ("From: =?utf-8?q?x_=3Ca=40b.example=3E?=", "b"),  # some encode all of it
        ("From: a@acme.example\r\nX-From: a@b.example", ""),
        ("From: b.example", ""),
        ("From:", ""),
        ("Subject: From: a@b.example\r\nFrom: a@acme.example", ""),
    ],
)
def test_the_domain_of_from_names_the_account(header: str, account: str) -> None:
    assert mail(header).options.account == account


def test_without_a_from_it_is_the_sender_that_becomes_it() -> None:
    assert mail("Subject: x", sender="a@b.example").options.account == "b"
    assert mail("Subject: x").options.account == ""


def test_of_a_templated_mail_the_from_that_leaves_counts() -> None:
    """Not the original's: the template's, else that of the settings."""
    assert mail("From: a@b.example\r\nX-Relay-Usage: Hi").options.account == ""
    assert mail("From: x@acme.example\r\nX-Relay-Usage: Ours").options.account == "b"


def test_its_tags_and_what_it_lets_clients_say_are_the_accounts_own() -> None:
    asked = "X-SES-CONFIGURATION-SET: news\r\nX-SES-TENANT: t"
    theirs = mail(f"From: a@b.example\r\n{asked}").options
    assert (theirs.tags, theirs.tenant, theirs.configuration_set) == (
        (("app", "b"),),
        "t",
        "",
    )
    ours = mail(f"From: a@acme.example\r\n{asked}").options
    assert (ours.tags, ours.tenant, ours.configuration_set) == (
        (("app", "ours"),),
        "",
        "news",
    )


def test_a_header_that_the_account_does_not_list_is_dropped_unread() -> None:
    assert mail("From: a@b.example\r\nX-SES-CONFIGURATION-SET: not a name")


def test_reencoding_is_the_accounts_own() -> None:
    line = "x" * 1200
    assert line.encode() in mail(f"From: a@b.example\r\n\r\n{line}").content
    assert line.encode() not in mail(f"From: a@acme.example\r\n\r\n{line}").content


def test_a_rule_names_the_account_and_with_it_the_from_of_templates() -> None:
    rules = Rules([RuleSource(name="r", account="b")])
    made = mail("From: a@acme.example\r\nX-Relay-Usage: Hi", rules=rules)
    assert made.options.account == "b"
    assert b"From: noreply@b.example" in made.content
    back = Rules([RuleSource(name="r", account="default")])
    assert mail("From: a@b.example", rules=back).options.account == ""


def test_the_from_that_a_rule_sets_counts() -> None:
    """With a template and without one."""
    rules = Rules([RuleSource(name="r", set_from="Brand <x@b.example>")])
    for header in ("From: a@acme.example", "From: a@acme.example\r\nX-Relay-Usage: Hi"):
        assert mail(header, rules=rules).options.account == "b"
