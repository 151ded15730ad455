"""Submissions for tests of rules, and rules of settings as an operator writes them."""

from __future__ import annotations

from typing import Any

from relay.app.rules import rules as compiled
from relay.config.models import Config, Listener, Rule, User
from relay.model.submission import Envelope, MailId, Submission
from relay.rules.facts import Facts
from relay.rules.found import Found
from relay.rules.rules import Rules
from relay.templates.catalog import Templates
from relay.templates.source import Source

TEMPLATES = Templates(
    [Source(usage, usage, "<p>Hello</p>") for usage in ("SignIn", "Register")],
    email_address="noreply@acme.example",
)


def rules(*given: dict[str, Any]) -> Rules:
    """The rules, by the settings' names."""
    settings = Config(
        listeners=(Listener(name="local"), Listener(name="office")),
        users=(User(name="shop"),),
        rules=tuple(Rule(**one) for one in given),
    )
    made = compiled(settings, TEMPLATES)
    assert made is not None
    return made


def submission(
    content: bytes | str = b"From: app@shop.example\r\n\r\nHello\r\n",
    *,
    sender: str | None = "app@shop.example",
    recipients: tuple[str, ...] = ("ann@example.net",),
    listener: str = "local",
    user: str = "",
    peer: str = "127.0.0.1",
    usage: str = "",
) -> Submission:
    if isinstance(content, str):
        content = content.encode()
    return Submission(
        MailId("m1"),
        Envelope(sender, recipients),
        content,
        peer=peer,
        listener=listener,
        user=user,
        usage=usage,
    )


def holds(rule: dict[str, Any], content: bytes | str = b"", **how: Any) -> bool:  # noqa: ANN401
    """Whether a rule does for a mail."""
    facts = Facts.of(submission(content, **how))
    return rules(rule).rule_for(facts) is not None


def found(rule: dict[str, Any], content: bytes | str) -> Found:
    """What a rule finds in a mail."""
    [only] = rules(rule).all
    return only.find(Facts.of(submission(content)))
