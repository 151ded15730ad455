"""Each condition of a rule, and the order in which they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from relay.model.reply import Refused
from relay.rules.facts import Facts
from tests.unit.rules.mails import holds, rules, submission

MAIL = (
    "From: Shop <noreply@shop.example>\r\n"
    "Subject: =?utf-8?q?R=C3=A9initialiser?=\r\n"
    " your password\r\n"
    "X-Mailer: PHP/8.2\r\n"
    "X-Empty:\r\n"
    "Received: by a.example\r\n"
    "Received: by b.example\r\n"
    "\r\n"
    "Reset your password\r\nhere.\r\n"
)


@pytest.mark.parametrize(
    ("rule", "how"),
    [
        ({}, {}),
        ({"listener": "local"}, {}),
        ({"listener": ["office", "local"]}, {}),
        ({"user": "shop"}, {"user": "shop"}),
        ({"client": "127.0.0.0/8"}, {}),
        ({"client": ["10.1.0.0/16", "2001:db8::/32"]}, {"peer": "10.1.255.3"}),
        ({"client": ["10.1.0.0/16", "2001:db8::/32"]}, {"peer": "2001:db8::1"}),
        ({"client": "10.0.0.0/8"}, {"peer": "::ffff:10.1.2.3"}),
        ({"client": "fe80::/10"}, {"peer": "fe80::1%eth0"}),
        ({"sender": "*@shop.example"}, {}),
        ({"sender": "shop.example"}, {}),
        ({"sender": "@shop.example"}, {}),
        ({"sender": "*.example"}, {}),
        ({"sender": "APP@Shop.Example"}, {}),
        ({"sender": "<>"}, {"sender": None}),
        ({"sender": "root"}, {"sender": "root"}),
        ({"from": "noreply@*"}, {}),
        ({"from": "/^noreply@/"}, {}),
        ({"recipient": "*@acme.example"}, {"recipients": ("a@b.c", "x@ACME.example")}),
        ({"subject": "R?initialiser your password"}, {}),
        ({"subject": "*PASSWORD"}, {}),
        ({"subject": "/^Réinit.* password$/"}, {}),
        ({"subject": "/(?i)RÉINIT/"}, {}),
        ({"body": "reset your password?here.*"}, {}),
        ({"body": "/Reset your password\\nhere/"}, {}),
        ({"header": {"X-Mailer": "PHP*"}}, {}),
        ({"header": {"x-mailer": ["Exim*", "php*"]}}, {}),
        ({"header": {"X-Job": ""}}, {}),
        ({"header": {"X-Job": ["", "nightly"]}}, {}),
        ({"header": {"X-Empty": "*"}}, {}),
        ({"header": {"Received": "*b.example"}}, {}),
        ({"header": {"X-Mailer": "*", "X-Job": ""}}, {}),
        ({"header": {"X-Relay-Usage": ""}}, {}),
        # Not given, as in the example of all settings.
        ({"sender": [], "subject": [], "header": {}}, {}),
    ],
)
def test_a_condition_holds(rule: dict[str, Any], how: dict[str, Any]) -> None:
    assert holds(_by_field(rule), MAIL, **how)


@pytest.mark.parametrize(
    ("rule", "how"),
    [
        ({"listener": "office"}, {}),
        ({"user": "shop"}, {}),  # also where anybody may log in: there is no user
        ({"client": "10.0.0.0/8"}, {}),
        ({"client": "0.0.0.0/0"}, {"peer": "::1"}),
        ({"client": "0.0.0.0/0"}, {"peer": ""}),
        ({"sender": "*@shop.example"}, {"sender": "app@shop.example.org"}),
        ({"sender": "shop.example"}, {"sender": "app@eshop.example"}),
        ({"sender": "*@shop.example"}, {"sender": None}),
        ({"sender": "<>"}, {}),
        ({"from": "app@shop.example"}, {}),
        ({"from": "/^Shop/"}, {}),  # the address alone
        ({"recipient": "*@acme.example"}, {}),
        ({"subject": "password"}, {}),  # the whole value
        ({"subject": "/^password/"}, {}),
        ({"subject": "/PASSWORD/"}, {}),  # its own case
        ({"subject": "[R]*"}, {}),  # brackets are themselves
        ({"subject": ""}, {}),
        ({"body": "Reset your password"}, {}),
        ({"header": {"X-Mailer": "PHP"}}, {}),
        ({"header": {"X-Mailer": ""}}, {}),
        ({"header": {"X-Job": "*"}}, {}),
        ({"header": {"X-Mailer": "*", "X-Job": "*"}}, {}),
        # All of them have to hold.
        ({"subject": "*password", "sender": "*@other.example"}, {}),
    ],
)
def test_a_condition_does_not_hold(rule: dict[str, Any], how: dict[str, Any]) -> None:
    assert not holds(_by_field(rule), MAIL, **how)


def test_the_first_rule_that_holds_is_the_mails() -> None:
    made = rules({"subject": "x"}, {"from_": "shop.example"}, {"name": "last"})

    verdicts = made.verdicts(Facts.of(submission(MAIL)))

    assert [(one.rule.name, one.failed) for one in verdicts] == [
        ("rule 1", "subject"),
        ("rule 2", ""),
        ("last", ""),
    ]
    mails = made.rule_for(Facts.of(submission(MAIL)))
    assert mails is made.all[1]


def test_the_cheapest_condition_is_asked_first() -> None:
    """So the header of most mail is not even taken apart."""
    made = rules(
        {
            "body": "x",
            "header": {"X-Mailer": "x"},
            "subject": "x",
            "from_": "x",
            "recipient": "x",
            "sender": "x",
            "client": "10.0.0.0/8",
            "user": "shop",
            "listener": "office",
        }
    )
    [rule] = made.all
    assert [condition.name for condition in rule.conditions] == [
        *("listener", "user", "client", "sender", "recipient"),
        *("from", "subject", "header.X-Mailer", "body"),
    ]
    too_large = submission(b"Subject: " + b"x" * 300_000 + b"\r\n\r\n")
    assert made.rule_for(Facts.of(too_large)) is None
    with pytest.raises(Refused):
        rules({"subject": "x"}).rule_for(Facts.of(too_large))


def test_control_headers_are_seen_as_they_came() -> None:
    mail = "From: a@b.example\r\nX-Relay-Usage: SignIn\r\nBcc: c@d.example\r\n\r\n"
    assert holds({"header": {"X-Relay-Usage": "signin", "Bcc": "*"}}, mail)


@pytest.mark.parametrize(
    "value",
    [
        "app@shop.example",
        "<app@shop.example>",
        '"Shop, <x@other.example>" <app@shop.example>',
        "=?utf-8?q?Shop_=3Cx=40other=2Eexample=3E?= <app@shop.example>",
        "=?utf-8?q?Shop_=3Capp=40shop=2Eexample=3E?=",
        "Shop (x@other.example) <app@shop.example>, second@other.example",
        "Caf\u00e9 <app@shop.example>",
    ],
)
def test_from_is_the_first_address_of_the_field(value: str) -> None:
    for charset in ("utf-8", "latin-1"):
        mail = f"From: {value}\r\n\r\n".encode(charset)
        assert holds({"from_": "app@shop.example"}, mail)


def test_of_a_repeated_field_one_is_enough() -> None:
    mail = "Subject: a\r\nSubject: b\r\nFrom: a@a.example\r\nFrom: b@b.example\r\n\r\n"
    assert holds({"subject": "b", "from_": "*@b.example"}, mail)


def test_line_ends_of_any_kind_are_mended_before() -> None:
    assert holds({"subject": "a", "body": "one\ntwo\n"}, b"Subject: a\n\none\rtwo\r\n")


def _by_field(rule: dict[str, Any]) -> dict[str, Any]:
    return {"from_" if name == "from" else name: one for name, one in rule.items()}
