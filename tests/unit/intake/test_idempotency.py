"""The idempotency key: what a header gives, and what makes two submissions one."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.intake.prepare import Preparation
from relay.model.note import Key
from relay.model.reply import Refused
from relay.model.submission import Envelope, MailId, Order, Submission
from tests.unit.intake.test_prepare import TEMPLATES

MAIL = (
    "Date: Mon, 1 Jan 2026 00:00:00 +0000",
    "Message-ID: <1@a.example>",
    "From: Ann Lee <a@a.example>",
    "To: b@b.example",
    "Subject: Hello there, this is a subject of some length",
    "X-Relay-Idempotency-Key: k1",
)
BODY = "one\r\n\r\ntwo\r\n"
MULTIPART = (
    "--{b}\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
    "--{b}\r\nContent-Type: text/html\r\n\r\n<p>hi</p>\r\n--{b}--\r\n"
)


def submission(
    *lines: str,
    body: str = BODY,
    to: tuple[str, ...] = ("b@b.example",),
    sender: str | None = "a@a.example",
    **more: Any,  # noqa: ANN401 - fields of any type
) -> Submission:
    content = "".join(f"{line}\r\n" for line in (*(lines or MAIL), "", body))
    return Submission(
        MailId("m"),
        Envelope(sender, to),
        content.encode("utf-8", "surrogateescape")[:-2],
        **{"listener": "local", **more},
    )


def key(given: Submission) -> Key | None:
    return Preparation(templates=TEMPLATES).prepare(given).key


def fingerprint(given: Submission) -> bytes:
    found = key(given)
    assert found is not None
    return found.fingerprint


def multipart(boundary: str, *lines: str, body: str = MULTIPART) -> Submission:
    kind = (
        f'Content-Type: multipart/alternative; charset=utf-8;\r\n boundary="{boundary}"'
    )
    return submission(*(lines or MAIL), kind, body=body.format(b=boundary))


def changed(old: str, new: str) -> Submission:
    assert any(old in line for line in MAIL)
    return submission(*(line.replace(old, new) for line in MAIL))


FIRST = fingerprint(submission())


@pytest.mark.parametrize(
    "again",
    [
        changed("00:00:00 +0000", "09:30:00 +0100"),
        changed("<1@a.example>", "<2@a.example>"),
        changed("Hello there,", "Hello\r\n there,"),
        changed("Hello there,", "=?utf-8?q?Hello?=\r\n =?utf-8?q?_there,?="),
        changed("Subject", "SUBJECT"),
        submission(*reversed(MAIL)),
        submission("Received: from x by y; today", *MAIL),
        submission("DKIM-Signature: v=1; b=abc", "Return-Path: <a@a>", *MAIL),
        submission(*MAIL[2:]),
        submission(to=("b@B.EXAMPLE", "b@b.example")),
        submission(sender="bounce-17@a.example"),
        submission("X-Relay-Send-At: 0", *MAIL),
    ],
)
def test_the_same_mail_that_is_made_anew_is_the_same(again: Submission) -> None:
    assert fingerprint(again) == FIRST


@pytest.mark.parametrize(
    "other",
    [
        changed("Hello", "Hallo"),
        changed("Ann", "Bob"),
        changed("To: b@", "To: c@"),
        submission(body="one\r\n\r\nthree\r\n"),
        submission(to=("c@b.example",)),
        submission(to=("b@b.example", "c@b.example")),
        submission("X-Relay-Usage: SignIn", *MAIL),
        submission("X-Relay-Variable-Code: 1", *MAIL),
        submission("X-Relay-Locale: fr", *MAIL),
        submission("X-SES-MESSAGE-TAGS: a=b", *MAIL),
        submission("X-Priority: 1", *MAIL),
    ],
)
def test_another_mail_is_another(other: Submission) -> None:
    assert fingerprint(other) != FIRST


def test_variables_are_the_same_in_any_order_and_from_any_header() -> None:
    ways = [
        ['X-Relay-Variables: {"a": "1", "b": "2"}'],
        ['X-Relay-Variables: {"b": "2",\r\n "a": "1"}'],
        ["X-Relay-Variable-b: 2", "X-Relay-Variable-A: 1"],
    ]
    assert len({fingerprint(submission(*MAIL, *lines)) for lines in ways}) == 1
    other = fingerprint(submission(*MAIL, "X-Relay-Variables: {}"))
    assert other not in {fingerprint(submission(*MAIL, *lines)) for lines in ways}


def test_boundaries_are_nothing_and_what_is_between_them_is() -> None:
    first = fingerprint(multipart("abc"))
    assert fingerprint(multipart("=_x'()+_,-./:=?")) == first
    assert fingerprint(multipart("abc", body=f"a preamble\r\n{MULTIPART}")) == first
    bare = [*MAIL, "Content-Type: multipart/alternative; boundary=z; charset=utf-8"]
    assert fingerprint(submission(*bare, body=MULTIPART.format(b="z"))) == first
    assert fingerprint(multipart("abc", body=MULTIPART.replace("hi", "ho"))) != first


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["X-A", "X-B", "Comments", "Keywords"]),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
        ),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
    st.text("abcdefghijklmnop0123456789=_", min_size=1, max_size=40),
    st.integers(0, 2**31),
)
def test_folded_in_another_order_re_dated_with_other_boundaries_it_is_the_same(
    extra: list[tuple[str, str]], random: Random, boundary: str, second: int
) -> None:
    lines = [*MAIL, *(f"{name}: so {value} and on" for name, value in extra)]
    first = fingerprint(multipart("abc", *lines))
    again = [
        line.replace(" ", "\r\n\t" if random.random() < 0.5 else "  ")
        if line.startswith(("X-A", "X-B", "Comments", "Keywords", "Subject"))
        else line
        for line in lines
    ]
    again[0] = f"Date: {second}"
    random.shuffle(again)
    assert fingerprint(multipart(f"{boundary}Z", *again)) == first


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_texts_are_one_only_where_they_are_the_same(one: str, other: str) -> None:
    def order(text: str) -> bytes:
        found = key(
            Submission(
                MailId("m"),
                Envelope("a@a.example", ("b@b.example",)),
                b"",
                listener="http",
                order=Order("Generic", {"text": text}, key="k"),
            )
        )
        assert found is not None
        return found.fingerprint

    assert (order(one) == order(other)) == (one == other)


def test_it_is_of_one_user_else_of_one_listener() -> None:
    found = [
        key(submission()),
        key(submission(user="app")),
        key(submission(listener="other", user="app")),
    ]
    assert [one and one.scope for one in found] == [
        *("listener:local", "user:app", "user:app"),
    ]


def test_a_mail_without_a_key_has_none_and_the_header_goes() -> None:
    assert key(submission(*MAIL[:-1])) is None
    assert key(submission(*MAIL[:-1], "X-Relay-Idempotency-Key:")) is None
    (mail,) = Preparation(templates=TEMPLATES).prepare(submission()).mails
    assert b"Idempotency" not in mail.content


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["k" * 257], "a key has 1 to 256 printable ASCII characters"),
        (["clé"], "a key has 1 to 256 printable ASCII characters"),
        (["a", "b"], "given more than once"),
    ],
)
def test_a_key_that_is_none_is_refused(lines: list[str], said: str) -> None:
    header = [f"X-Relay-Idempotency-Key: {line}" for line in lines]
    with pytest.raises(Refused) as refused:
        key(submission(*MAIL[:-1], *header))
    assert str(refused.value.reply) == f"550 5.6.0 X-Relay-Idempotency-Key: {said}"


def test_a_long_key_that_a_library_encoded_is_read() -> None:
    folded = "=?utf-8?q?" + "a" * 60 + "?=\r\n =?utf-8?q?" + "b" * 60 + "?="
    found = key(submission(*MAIL[:-1], f"X-Relay-Idempotency-Key: {folded}"))
    assert found is not None
    assert found.text == "a" * 60 + "b" * 60


def test_no_variable_is_in_what_a_log_could_show() -> None:
    secret = json.dumps({"code": "482913"})
    found = key(submission(*MAIL, f"X-Relay-Variables: {secret}"))
    assert "482913" not in repr(found)
