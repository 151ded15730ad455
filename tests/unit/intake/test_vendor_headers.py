"""The headers of other vendors: always removed, and read where the settings say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.content.header import parse
from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.intake.vendor_headers import Read, Vendors
from relay.model.mail import Mail
from relay.model.reply import Refused
from relay.templates.catalog import Templates
from relay.templates.source import Source
from tests.unit.rules.mails import submission
from tests.worst_input import is_linear, repeated

ALL = ["mandrill", "mailgun", "sendgrid", "postmark"]
TEMPLATES = Templates(
    [
        Source("SignIn", "{{code}} {{name}}", "<p>1</p>"),
        Source("Register", "Register {{code}}", "<p>1</p>"),
    ],
    email_address="noreply@acme.example",
    missing="empty",
)


def read(fields: str, *names: str) -> Read:
    return Vendors(names or ALL).read(parse(fields.encode() + b"\r\n"))


def mail(fields: str, **settings: Any) -> Mail:  # noqa: ANN401
    content = f"From: a@b.example\r\nSubject: Hi\r\n{fields}\r\nHello\r\n"
    [made] = (
        Preparation(templates=TEMPLATES, **settings).prepare(submission(content)).mails
    )
    return made


SUB = {
    "-name-": ["Ann"],
    "%code%": ["1"],
    "{{ a-b }}": ["2"],
    "two": ["1", "2"],
    "%%": [1],
}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            """X-MC-Template: SignIn|main
            X-MC-Tags: a b, c ,
            X-MC-MergeVars: {"code": "1", "_rcpt": "ann@example.net"}
            X-MC-MergeVars: {"name": "Ann"}
            """,
            Read("SignIn", {"code": "1", "name": "Ann"}, {"tag": "a_b", "tag2": "c"}),
        ),
        (  # each for another recipient
            """X-MC-MergeVars: {"_rcpt": "a@b.example", "code": "1"}
            X-MC-MergeVars: {"_rcpt": "c@d.example", "code": "2"}
            X-MC-MergeVars: {"name": "Ann"}
            """,
            Read(variables={"name": "Ann"}),
        ),
        (
            """X-Mailgun-Template-Name: SignIn
            X-Mailgun-Tag: a
            X-Mailgun-Tag: a
            X-Mailgun-Template-Variables: {"code": "1"}
            X-Mailgun-Variables: {"code": "2", "name": "Ann"}
            """,
            Read("SignIn", {"code": "1", "name": "Ann"}, {"tag": "a"}),
        ),
        (
            f"X-SMTPAPI: {json.dumps({'category': ['a', 'b'], 'sub': SUB})}\r\n",
            Read(
                "", {"name": "Ann", "code": "1", "a_b": "2"}, {"tag": "a", "tag2": "b"}
            ),
        ),
        ('X-SMTPAPI: {"category": "one"}\r\n', Read(tags={"tag": "one"})),
        (
            "X-PM-Tag: Größe\r\nX-PM-Metadata-Order-Id: 7\r\n",
            Read("", {"order_id": "7"}, {"tag": "Gr__e"}),
        ),
        ("X-MC-Template\r\nX-MC-Template: =?utf-8?q?Sign?=\r\n", Read("Sign")),
    ],
)
def test_what_a_vendors_headers_say(fields: str, found: Read) -> None:
    lines = [line.strip() for line in fields.splitlines()]
    assert read("".join(f"{line}\r\n" for line in lines if line)) == found


def test_of_two_vendors_the_first_counts() -> None:
    fields = (
        "X-MC-Template: A\r\nX-Mailgun-Template-Name: B\r\n"
        'X-MC-MergeVars: {"a": 1}\r\nX-Mailgun-Variables: {"a": 2}\r\n'
    )
    assert read(fields, "mailgun", "mandrill") == Read("B", {"a": 2})
    assert read(fields, "postmark") == Read()


def test_a_vendors_usage_and_variables_count_behind_the_relays_own() -> None:
    fields = (
        "X-MC-Template: Register\r\n"
        'X-MC-MergeVars: {"code": "1", "name": "A"}\r\nX-MC-Tags: x\r\n'
    )
    made = mail(fields, headers_of=["mandrill"])
    assert b"Subject: Register 1\r\n" in made.content
    assert made.options.tags == (("tag", "x"), ("usage", "Register"))
    own = "X-Relay-Usage: SignIn\r\nX-Relay-Variable-code: 2\r\n"
    own += "X-SES-MESSAGE-TAGS: tag=y\r\n"
    accounts = SenderAccounts([SenderAccount(client_headers=["X-SES-MESSAGE-TAGS"])])
    made = mail(fields + own, headers_of=["mandrill"], accounts=accounts)
    assert b"Subject: 2 A\r\n" in made.content
    assert made.options.tags == (("tag", "y"), ("usage", "SignIn"))


@pytest.mark.parametrize("listed", [(), ("mandrill",), ALL])
def test_they_leave_in_no_mail(listed: tuple[str, ...]) -> None:
    fields = (
        'X-MC-MergeVars: {"code": "123456"}\r\nx-mailgun-sid: 123456\r\n'
        'X-SMTPAPI: {"a": "123456"}\r\nX-PM-Metadata-Code: 123456\r\n'
        "X-MC-Odd name: 123456\r\nX-PM-123456\r\nX-Mailer: PHP\r\n"
    )
    made = mail(fields, headers_of=listed)
    assert made.content == (
        b"From: a@b.example\r\nSubject: Hi\r\nX-Mailer: PHP\r\n\r\nHello\r\n"
    )
    templated = mail(fields + "X-Relay-Usage: SignIn\r\n", headers_of=listed)
    assert b"123456" not in templated.content.partition(b"Subject")[0]
    assert b"X-PM" not in templated.content


@pytest.mark.parametrize(
    ("field", "reply"),
    [
        ("X-MC-MergeVars: {'a': 1}", "X-MC-MergeVars: not valid JSON at character 2"),
        ("X-MC-MergeVars: [1]", "X-MC-MergeVars: not a JSON object"),
        (
            "X-Mailgun-Variables: {",
            "X-Mailgun-Variables: not valid JSON at character 2",
        ),
        ("X-SMTPAPI: 5", "X-SMTPAPI: not a JSON object"),
        ('X-SMTPAPI: {"sub": [1]}', "X-SMTPAPI: sub is not a JSON object"),
        (f"X-MC-Template: {'x' * 300}", "X-MC-Template: longer than 256 characters"),
        ("X-PM-Tag: a\r\n X-MC-Template: b", "X-PM-Tag: the line below it is indented"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_is_listed(
    field: str, reply: str
) -> None:
    with pytest.raises(Refused) as refused:
        mail(f"{field}\r\n", headers_of=ALL)
    assert str(refused.value.reply).startswith(f"550 5.6.0 {reply}")
    assert mail(f"{field}\r\n").content == mail("").content


def test_reading_names_takes_time_in_proportion() -> None:
    def names(piece: str) -> None:
        some = {piece[: len(piece) // 2]: ["x"]}
        read(f"X-SMTPAPI: {json.dumps({'sub': some})}\r\n", "sendgrid")

    for letter in ("-", "a-", "{"):
        assert is_linear(names, repeated(letter, after="a"))
