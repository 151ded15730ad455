"""Codes and links out of mails, and mails that want to break who looks at them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.codes import code_in
from relay.templates.lint import problems
from relay.templates.source import Source
from relay.templates.template import Template
from relay.web.preview import Preview


@pytest.mark.parametrize(
    ("text", "subject", "code"),
    [
        ("Use this code:\n\n123456\n\nGood for 10 minutes.", "", "123456"),
        ("Your code is 123456.", "", "123456"),
        ("Code: 123 456", "", "123456"),
        ("Code: 123-456", "", "123456"),
        ("G-123456 is your code", "", "123456"),
        ("Enter AB12CD to go on", "", "AB12CD"),
        ("**4711**", "", "4711"),
        ("Order 98765 of 2026: your code is 123456", "", "123456"),
        ("hello", "Your code is 654321", "654321"),
        ("https://acme.example/123456/x?y=234567", "", ""),
        ("Since 2026, in 10 minutes, for $1,234.50", "", ""),
        ("Invoice 1234567890123", "", ""),
        ("HELLO WORLD", "", ""),
        ("", "", ""),
    ],
)
def test_the_code_is_found(text: str, subject: str, code: str) -> None:
    assert code_in(text, subject) == code


def test_links_are_those_that_a_person_may_follow() -> None:
    html = (
        b'<a href="https://a.example/?x=1&amp;y=2">1</a>'
        b"<a href='mailto:b@c.example'>2"
        b"<a href=https://d.example>3<a href='javascript:alert(1)'>4"
        b"<a data-href='https://no.example' href=' data:text/html,x'>5"
    )
    preview = Preview(b"Content-Type: text/html\r\n\r\n" + html)
    assert preview.links[:3] == [
        "https://a.example/?x=1&y=2",
        "mailto:b@c.example",
        "https://d.example",
    ]
    assert not any("javascript" in link or "data:" in link for link in preview.links)


def test_a_text_alone_has_no_html() -> None:
    preview = Preview(b"Subject: x\r\n\r\nhello\r\n")
    assert (preview.html, preview.text, preview.subject) == (None, "hello\n", "x")


@pytest.mark.parametrize(
    "hostile",
    [
        b"<a " * 300_000,
        b"<a href='" * 100_000,
        b"<meta " * 200_000,
        b"A" * 1_000_000,
        b"1 " * 500_000,
        b"src=" * 250_000,
        b"url(" * 250_000,
        b"<" * 1_000_000,
    ],
)
def test_what_wants_to_take_forever_takes_a_moment(hostile: bytes) -> None:
    began = time.process_time()
    preview = Preview(b"Content-Type: text/html\r\n\r\n" + hostile)
    _ = preview.html, preview.text, preview.links, preview.code, preview.remote
    assert time.process_time() - began < 5


def test_a_mail_over_the_limits_is_shown_as_its_text() -> None:
    preview = Preview(b"X: y\r\n" * 2000 + b"\r\nbody")
    assert preview.html is None
    assert preview.text.endswith("body")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_mail_can_be_looked_at(header: bytes, body: bytes) -> None:
    preview = Preview(b"Content-Type: multipart/mixed; boundary=x\r\n" + header + body)
    assert isinstance(preview.text, str)
    _ = preview.html, preview.links, preview.code, preview.attachments, preview.remote


def test_a_template_is_looked_at_for_what_mail_clients_do() -> None:
    content = (
        "<p>{{code}}</p>\n<img src='https://acme.example/x'>\n"
        "<img alt='' src='https://acme.example/y'>{{shop.name}}{{#if x}}"
    )
    template = Template(
        Source("SignIn", "s", content), email_address="", missing="reject"
    )
    found = [(problem.kind, problem.line) for problem in problems(template, None)]
    assert found == [("syntax", 3), ("variable", 3), ("image", 2)]
    large = problems(template, "x" * 102_001)
    assert [problem.kind for problem in large][-1] == "size"
