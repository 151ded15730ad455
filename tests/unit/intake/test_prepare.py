from __future__ import annotations

import email
import tracemalloc
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.dsn import Dsn
from relay.model.mail import Choice, Mail, Prepared
from relay.model.reply import Refused
from relay.model.submission import Envelope, MailId, Submission
from relay.templates.catalog import Templates
from relay.templates.source import Source

CORPUS = Path(__file__).parents[2] / "corpus"
BROKEN = ("8bit-utf8-plain", "8bit-latin1", "8bit-cyrillic", "8bit-parts", "long-line")

TEMPLATES = Templates(
    [
        Source("SignIn", "Code {{code}}", "<p>{{code}} {{locale}}</p>"),
        Source("SignIn", "Le code {{code}}", "<p>{{code}}</p>", locale="fr"),
        Source("Generic", "Hello", "<p>Hello</p>"),
    ],
    email_address="Acme <noreply@acme.example>",
    missing="empty",
)


def submission(
    content: bytes,
    *,
    sender: str | None = "app@example.com",
    recipients: tuple[str, ...] = ("ann@example.net",),
    usage: str = "",
) -> Submission:
    return Submission(MailId("m1"), Envelope(sender, recipients), content, usage=usage)


def prepared(content: bytes, **settings: Any) -> Prepared:  # noqa: ANN401
    given = {
        key: settings.pop(key)
        for key in ("sender", "recipients", "usage")
        if key in settings
    }
    settings.setdefault("templates", TEMPLATES)
    own = {
        key: settings.pop(key)
        for key in ("client_headers", "tags", "usage_tag", "reencode")
        if key in settings
    }
    if own:
        settings["accounts"] = SenderAccounts([SenderAccount(**own)])
    return Preparation(**settings).prepare(submission(content, **given))


def mail(content: bytes, **settings: Any) -> Mail:  # noqa: ANN401
    (only,) = prepared(content, **settings).mails
    return only


def refusal(content: bytes, **settings: Any) -> str:  # noqa: ANN401
    with pytest.raises(Refused) as refused:
        prepared(content, **settings)
    return str(refused.value.reply)


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*.eml")), ids=lambda path: path.stem
)
def test_mail_that_ses_takes_passes_byte_for_byte(path: Path) -> None:
    content = path.read_bytes()
    safe = path.stem not in BROKEN
    assert (mail(content).content == content) is safe
    assert mail(content, reencode=False).content == content


def test_mail_without_anything_to_do_is_the_same_object() -> None:
    content = (CORPUS / "nested-mime.eml").read_bytes()
    assert mail(content).content is content


def test_control_headers_go_and_nothing_else_does() -> None:
    content = (
        b"X-RELAY-LOCALE : fr\r\nFrom: app@example.com\r\nBcc: c@example.net,\r\n"
        b"\td@example.net\r\nx-ses-tenant: t\r\nbroken line\r\nX-Relay-Unknown: 1\r\n"
        b"Return-Path: <x@example.com>\r\nresent-bcc:e@b.example\r\nX-Relay: stays\r\n"
        b"\r\nX-Relay-Usage: body\r\nlast"
    )
    assert prepared(content)._replace(slips=()) == Prepared(
        (
            Mail(
                Envelope("app@example.com", ("ann@example.net",)),
                b"From: app@example.com\r\nbroken line\r\nX-Relay: stays\r\n"
                b"\r\nX-Relay-Usage: body\r\nlast",
            ),
        ),
    )


def test_the_usage_header_goes_under_its_own_name() -> None:
    content = b"From: a@b.example\r\nApp-Kind :\r\n\r\nx"
    assert mail(content, usage_header="App-Kind").content == (
        b"From: a@b.example\r\n\r\nx"
    )


def test_bare_line_ends_become_crlf() -> None:
    assert mail(b"From: a@b.example\nX: y\r\n\nbody\rend").content == (
        b"From: a@b.example\r\nX: y\r\n\r\nbody\r\nend"
    )


@pytest.mark.parametrize(
    ("content", "passed"),
    [
        (b"", b"From: app@example.com\r\n\r\n"),
        (b"Subject: x\r\n\r\nb", b"From: app@example.com\r\nSubject: x\r\n\r\nb"),
        (b"Subject: x", b"From: app@example.com\r\nSubject: x"),
        (b"just text", b"From: app@example.com\r\n\r\njust text"),
        (b"\r\ntext", b"From: app@example.com\r\n\r\ntext"),
        (b"Bcc: a@b.example", b"From: app@example.com\r\n"),
        (
            b"From a@b Tue\r\nTo: x@y.example\r\n\r\n",
            b"From a@b Tue\r\nFrom: app@example.com\r\nTo: x@y.example\r\n\r\n",
        ),
        (
            b" Subject: x\r\n\r\nb",
            b" Subject: x\r\nFrom: app@example.com\r\n\r\nb",
        ),
    ],
)
def test_a_missing_from_is_added_and_no_byte_is_lost(
    content: bytes, passed: bytes
) -> None:
    assert mail(content).content == passed


def test_without_from_and_sender_there_is_no_mail() -> None:
    assert refusal(b"Subject: x\r\n\r\n", sender=None).startswith("550 5.6.0 ")
    content = b"From: a@b.example\r\n\r\n"
    assert mail(content, sender=None).envelope.sender is None


def test_more_than_100_received_fields_are_a_loop() -> None:
    line = b"Received: from a by b;\r\n\tTue, 24 Nov 2026 10:00:00 +0000\r\n"
    content = b"From: a@b.example\r\nX-Note: received\r\n\r\nReceived: x\r\n"
    assert mail(line * 100 + content).content == line * 100 + content
    assert refusal(line * 101 + content).startswith("554 5.4.6 ")
    assert refusal(line * 101 + b"X-Relay-Usage: SignIn\r\n").startswith("554 5.4.6 ")


def test_the_usage_is_the_headers_then_the_users_then_the_settings() -> None:
    header = b"From: a@b.example\r\nX-Relay-Usage: SignIn\r\n\r\n"
    none = b"From: a@b.example\r\nX-Relay-Usage:\r\n\r\n"
    given = mail(header, usage="Generic", without_usage="reject")
    assert given.choice == Choice("SignIn", "SignIn")
    users = mail(none, usage="Other", without_usage="reject")
    assert users.choice == Choice("Other", "Generic")
    assert mail(none, without_usage="SignIn").choice == Choice("SignIn", "SignIn")
    assert mail(none).choice == Choice()
    assert refusal(none, without_usage="reject", usage_header="X-Relay-Usage") == (
        "550 5.6.0 X-Relay-Usage: the mail names no usage"
    )


def test_the_locale_is_the_headers_else_the_string_variable() -> None:
    head = "From: a@b.example\r\nX-Relay-Usage: SignIn\r\n"

    def chosen(*lines: str) -> Mail:
        return mail((head + "".join(f"{line}\r\n" for line in lines)).encode())

    assert chosen("X-Relay-Locale: fr-CA").choice.locale == "fr"
    assert chosen('X-Relay-Variables: {"locale": "fr"}').choice.locale == "fr"
    assert chosen("X-Relay-Variable-locale: fr").choice.locale == "fr"
    assert chosen('X-Relay-Variables: {"locale": 7}').choice.locale == ""
    both = chosen("X-Relay-Locale: de", "X-Relay-Variable-locale: fr")
    assert both.choice.locale == ""
    assert b"fr</p>" in both.content
    assert b"de</p>" in chosen("X-Relay-Locale: de").content


def test_a_templated_mail_is_the_templates_and_shows_no_control_header() -> None:
    sent = mail(
        b"From: app@example.com\r\nTo: ann@example.net\r\nSubject: old\r\n"
        b'X-Relay-Usage: SignIn\r\nX-Relay-Variables: {"code": "123456"}\r\n'
        b"X-Relay-Note: hidden\r\n\r\nold body\r\n"
    )
    made = email.message_from_bytes(sent.content, policy=default)
    assert made["Subject"] == "Code 123456"
    assert made["From"] == "Acme <noreply@acme.example>"
    assert b"x-relay" not in sent.content.lower()
    assert b"old" not in sent.content


def test_trap_43_tags_merge_and_the_usage_tag_is_the_relays() -> None:
    content = (
        b"From: a@b.example\r\nX-Relay-Usage: Sign In!\r\n"
        b"X-SES-MESSAGE-TAGS: team=b, usage=forged, app=c\r\n\r\n"
    )
    settings: dict[str, Any] = {
        "client_headers": ["X-SES-MESSAGE-TAGS"],
        "tags": {"app": "a", "stage": "live"},
    }
    assert mail(content, **settings).options.tags == (
        ("app", "c"),
        ("stage", "live"),
        ("team", "b"),
        ("usage", "Sign_In_"),
    )
    assert mail(content, usage_tag="", **settings).options.tags == (
        ("app", "c"),
        ("stage", "live"),
        ("team", "b"),
        ("usage", "forged"),
    )
    long = b"From: a@b.example\r\nX-Relay-Usage: " + b"U" * 255 + b"!" + b"\r\n\r\n"
    assert mail(long).options.tags == (("usage", "U" * 255 + "_"),)


def test_client_options_are_for_this_mail() -> None:
    content = b"From: a@b.example\r\nX-SES-CONFIGURATION-SET: news\r\n\r\n"
    listed = mail(content, client_headers=["x-ses-configuration-set"])
    assert listed.options.configuration_set == "news"
    assert listed.content == b"From: a@b.example\r\n\r\n"
    assert mail(content).options.configuration_set == ""


def test_a_broken_control_header_refuses_mail_without_a_usage_too() -> None:
    content = b"From: a@b.example\r\nX-Relay-Variables: [123456]\r\n\r\n"
    assert refusal(content) == "550 5.6.0 X-Relay-Variables: not a JSON object"


def test_51_recipients_are_two_calls_that_share_the_content() -> None:
    recipients = tuple(f"r{number}@example.net" for number in range(51))
    first, second = prepared(b"From: a@b.example\r\n\r\n", recipients=recipients).mails
    assert first.envelope.recipients == recipients[:50]
    assert second.envelope.recipients == recipients[50:]
    assert first.content is second.content


def test_duplicates_differ_in_more_than_the_case_of_the_domain() -> None:
    recipients = (
        "Ann@Example.net",
        "Ann@example.NET",
        "ann@example.net",
        "Root",
        "root",
    )
    sent = mail(b"From: a@b.example\r\n\r\n", recipients=recipients)
    assert sent.envelope.recipients == (
        "Ann@Example.net",
        "ann@example.net",
        "Root",
        "root",
    )


def test_fixed_limits_hold_for_7bit_mail_too() -> None:
    head = b"From: a@b.example\r\n"
    assert refusal(head + b"A: b\r\n" * 1000 + b"\r\n").startswith("554 5.6.0 ")
    assert refusal(head + b"A: " + b"b" * 256_000).startswith("554 5.6.0 ")
    parts = (
        head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nx\r\n" * 501
        + b"--b--\r\n"
    )
    for reencode in (True, False):
        assert refusal(parts, reencode=reencode).startswith("554 5.6.0 ")
    assert refusal(parts, usage="SignIn").startswith("554 5.6.0 ")


def test_40_megabytes_are_copied_once_at_most() -> None:
    body = b"\r\n" + b"0123456789" * 7 + b"\r\n"
    large = b"From: a@b.example\r\nBcc: x@y.example\r\n" + body * 550_000
    tracemalloc.start()
    try:
        mail(large)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * len(large)


def test_each_call_has_what_was_asked_of_reports_about_its_own_recipients() -> None:
    three = ("a@b.example", "c@d.example", "e@f.example")
    originals = tuple((one, f"rfc822;list-{one}") for one in three)
    asked = Dsn("QQ", True, three[:2], originals)
    content = b"From: app@example.com\r\n\r\n"
    envelope = Envelope("app@example.com", three, asked)
    found = Preparation(templates=TEMPLATES, split_at=2).prepare(
        Submission(MailId("m1"), envelope, content)
    )
    assert [one.envelope for one in found.mails] == [
        Envelope(
            "app@example.com", three[:2], Dsn("QQ", True, three[:2], originals[:2])
        ),
        Envelope("app@example.com", three[2:], Dsn("QQ", True, (), originals[2:])),
    ]
