"""Any bytes: a result or a refusal, never another exception."""

from __future__ import annotations

import email
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.content.encoded_words import decoded, words
from relay.content.header import fields_of, normalise, parse
from relay.content.ses_safe import has_long_line, reencode
from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.mail import Mail
from relay.model.reply import Refused
from relay.model.submission import Envelope, MailId, Submission
from relay.templates.catalog import Templates
from relay.templates.source import Source

CORPUS = [
    path.read_bytes()
    for path in (Path(__file__).parent.parent / "corpus").glob("*.eml")
]
INTAKE = Preparation(
    templates=Templates(
        [Source("Generic", "{{a}}", "{{message.html}}{{a}}")], missing="empty"
    ),
    accounts=SenderAccounts(
        [SenderAccount(client_headers=["X-SES-MESSAGE-TAGS", "X-SES-FROM-ARN"])]
    ),
)

names = st.sampled_from(
    [
        "From",
        "To",
        "Subject",
        "X-Other",
        "X-Relay-Usage",
        "x-relay-variables",
        "X-RELAY-VARIABLE-a.b",
        "X-Relay-Variable-code",
        "X-Relay-Locale",
        "X-SES-MESSAGE-TAGS",
        "x-ses-from-arn",
        "Bcc",
        "RESENT-BCC",
        "Return-Path",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
        "Content-Disposition",
        "Received",
    ]
)
values = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "Generic",
            '{"a": "b"}',
            "multipart/mixed; boundary=b",
            'multipart/signed; boundary="b"',
            "text/html; charset=utf-8",
            'attachment; filename="é.pdf"',
            "Bö <b@example.net>, (é",
            "=?utf-8?q?=C3?= é =?x?b?A?=",
            "base64",
            "quoted-printable",
            "a=b",
        ]
    ),
)
lines = st.one_of(
    st.builds(lambda n, v: f"{n}: {v}".encode("utf-8", "replace"), names, values),
    st.builds(lambda n, v: f" {n} : {v}".encode("utf-8", "replace"), names, values),
    st.sampled_from(
        [
            b"",
            b" folded",
            b"--b",
            b"--b--",
            b"From x",
            b"\xff\xfe",
            b"x" * 1200,
            b"=C3=",
            b"\xc3\xbc",
        ]
    ),
    st.binary(max_size=40),
)
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b""])
mails = st.one_of(
    st.binary(max_size=300),
    st.lists(st.tuples(lines, ends), max_size=25).map(
        lambda pairs: b"".join(line + end for line, end in pairs)
    ),
    st.builds(
        lambda content, at, size, new: content[:at] + new + content[at + size :],
        st.sampled_from(CORPUS),
        st.integers(0, 2000),
        st.integers(0, 200),
        st.binary(max_size=60),
    ),
)


def prepared(content: bytes, usage: str = "") -> Mail | None:
    envelope = Envelope("app@example.com", ("ann@example.net",))
    try:
        (mail,) = INTAKE.prepare(
            Submission(MailId("m"), envelope, content, usage=usage)
        ).mails
    except Refused:
        return None
    return mail


@given(mails)
def test_line_ends_are_whole_and_parsing_loses_no_byte(content: bytes) -> None:
    normal = normalise(content)
    assert b"\r" not in normal.replace(b"\r\n", b"")
    assert b"\n" not in normal.replace(b"\r\n", b"")
    assert parse(normal).content == normal


@given(st.lists(st.tuples(lines, ends), max_size=12))
def test_a_field_is_its_name_and_whole_lines(pairs: list[tuple[bytes, bytes]]) -> None:
    header = normalise(b"".join(line + end for line, end in pairs))
    fields = fields_of(header)
    assert b"".join(field.raw for field in fields) == header
    for number, field in enumerate(fields):
        first, *folds = field.raw.removesuffix(b"\r\n").split(b"\r\n")
        assert all(line.startswith((b" ", b"\t")) for line in folds)
        assert number == 0 or not first.startswith((b" ", b"\t"))
        before, colon, _ = first.partition(b":")
        if field.name:
            assert before.strip(b" \t") == field.name.encode("latin-1")
        elif not folds:  # a line that is no field has no name before its colon
            assert not colon or re.search(rb"[^!-~]", before) or not before


@given(mails)
@settings(max_examples=400)
def test_reencoding_is_done_once_and_keeps_line_ends(content: bytes) -> None:
    try:
        once = reencode(parse(normalise(content))).content
    except Refused:
        return
    assert normalise(once) is once
    assert reencode(parse(once)).content == once


@given(mails, st.sampled_from(["", "Generic", "None"]))
@example(b"X-Any:\xc2\x80", "Generic")  # a control character outside ASCII
@settings(max_examples=400)
def test_no_control_header_survives(content: bytes, usage: str) -> None:
    mail = prepared(content, usage)
    if mail is None:
        return
    names = [field.key for field in parse(mail.content).fields]
    names += [name.lower().strip() for name in email.message_from_bytes(mail.content)]
    assert not [
        name
        for name in names
        if name.startswith(("x-relay-", "x-ses-"))
        or name in ("bcc", "resent-bcc", "return-path")
    ]


@given(st.lists(st.text("abc \t.-=?:;<>()\"'@,", max_size=200), max_size=20))
def test_7bit_mail_passes_byte_for_byte(body: list[str]) -> None:
    content = "From: a@b.example\r\nX-Any: x\r\n\r\n" + "\r\n".join(body)
    mail = prepared(content.encode())
    assert mail is not None
    assert mail.content == content.encode()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_words_read_back_as_the_text(text: str) -> None:
    pieces = words(text)
    assert all(len(piece) <= 75 and piece.isascii() for piece in pieces)
    assert decoded(" ".join(pieces)) == text


@given(st.text(max_size=80))
def test_decoding_gives_text_that_can_be_encoded(value: str) -> None:
    decoded(value).encode()


@given(st.binary(min_size=0, max_size=3000), st.integers(0, 5))
def test_long_lines_are_found(data: bytes, lead: int) -> None:
    content = normalise(b"\r\n" * lead + data)
    expected = any(len(line) > 998 for line in content.split(b"\r\n"))
    assert has_long_line(content, 0, len(content)) is expected


@pytest.mark.parametrize("content", CORPUS)
def test_a_corpus_mail_cut_anywhere_is_taken_or_refused(content: bytes) -> None:
    for cut in range(0, min(len(content), 1500), 7):
        prepared(content[:cut])
        prepared(content[:cut], "Generic")
