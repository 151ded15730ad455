"""A mail that was kept goes on as it was made, by the account that it was made for."""

from __future__ import annotations

import pytest

from relay.intake.forwarding import forwarded
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.guard import KEPT, Guard
from relay.model.mail import Choice, Mail, Prepared, SendOptions
from relay.model.replies import GUARDED
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.rules.rules import Rules
from relay.rules.source import Source as RuleSource
from relay.templates.catalog import Templates
from relay.templates.source import Source

TEMPLATES = Templates(
    [
        Source("SignIn", "Code", "<p>{{code}}</p>", per_recipient=(2, 3600.0)),
        Source("News", "News", "<p>News</p>"),
    ],
    email_address="noreply@acme.example",
)
ACCOUNTS = SenderAccounts(
    [
        SenderAccount(),
        SenderAccount("brand-b", domains=["b.example"]),
        SenderAccount("brand-c"),
    ]
)
RULES = Rules([RuleSource(name="to c", account="brand-c")])
CONTENT = b"From: app@acme.example\r\nSubject: x\r\n\r\nx\r\n"


def kept(
    content: bytes = CONTENT, usage: str = "SignIn", rule: str = "", account: str = KEPT
) -> Mail:
    return Mail(
        Envelope("app@acme.example", ("ann@example.com", "bob@example.com")),
        content,
        SendOptions(tags=(("usage", usage),), account=account, untracked=True),
        Choice(usage, usage, supersedes=True, valid_for=600, rule=rule),
    )


def forward(mail: Mail, guard: Guard | None = None) -> Prepared:
    return forwarded(
        mail,
        "dev@acme.example",
        templates=TEMPLATES,
        accounts=ACCOUNTS,
        rules=RULES,
        guard=guard,
    )


def test_only_who_gets_it_and_who_hears_of_it_are_others() -> None:
    mail = kept()
    found = forward(mail)
    [made] = found.mails
    assert made.envelope == Envelope(None, ("dev@acme.example",))
    assert made.content is mail.content
    assert made.options == SendOptions(tags=(("usage", "SignIn"),), untracked=True)
    # It would else end a waiting code of the same person.
    assert made.choice == Choice("SignIn", "SignIn", supersedes=False, valid_for=600)
    assert found.limit is not None
    assert (found.limit.template, found.limit.number) == ("SignIn", 2)


@pytest.mark.parametrize("usage", ["News", "gone"])
def test_a_template_without_a_limit_or_that_is_gone_limits_nothing(usage: str) -> None:
    assert forward(kept(usage=usage)).limit is None


@pytest.mark.parametrize(
    ("content", "rule", "account"),
    [
        (CONTENT, "", ""),
        (CONTENT.replace(b"acme", b"b"), "", "brand-b"),
        (CONTENT, "to c", "brand-c"),
        (CONTENT, "a rule that is gone", ""),
    ],
)
def test_it_leaves_by_the_account_of_its_rule_or_of_its_from(
    content: bytes, rule: str, account: str
) -> None:
    [made] = forward(kept(content, rule=rule)).mails
    assert made.options.account == account


def test_a_guard_lets_it_out_redirects_it_or_refuses_it() -> None:
    nobody = Guard(lambda _: False, "redirect", "team@acme.example")
    [made] = forward(kept(), nobody).mails
    assert made.envelope.recipients == ("team@acme.example",)
    assert made.content.startswith(b"X-Original-To: dev@acme.example\r\n")
    [made] = forward(kept(), Guard(lambda one: one.startswith("dev@"), "capture")).mails
    assert made.options.account == ""
    for others in ("reject", "capture"):
        with pytest.raises(Refused) as caught:
            forward(kept(), Guard(lambda _: False, others))
        assert caught.value.reply == GUARDED
