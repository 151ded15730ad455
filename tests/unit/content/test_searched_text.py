"""The text that rules search: bounded in length and in time, whatever is in a mail."""

from __future__ import annotations

import base64

import pytest

from relay.content.header import parse
from relay.content.original import Original
from relay.content.searched_text import MOST_TEXT, searched_text
from relay.model.submission import Envelope
from tests.worst_input import is_linear, repeated

HTML = b"Content-Type: text/html\r\n\r\n"
TEXT = b"Content-Type: text/plain\r\n\r\n"
LINKS = "".join(f'<a href="https://a.example/{n}">x</a>\r\n' for n in range(10_000))


def text_of(content: bytes) -> str:
    return searched_text(Original(parse(content), Envelope(None, ())))


def alternative(text: str, html: str) -> bytes:
    return (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
        + TEXT
        + text.encode()
        + b"\r\n--b\r\n"
        + HTML
        + html.encode()
        + b"\r\n--b--\r\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        TEXT + b"abc\r\n" * 2_000_000,
        HTML + b"<p>abc</p>\r\n" * 500_000,
        HTML.replace(b"html\r\n", b"html\r\nContent-Transfer-Encoding: base64\r\n")
        + base64.encodebytes(b"<p>abc</p>\r\n" * 300_000),
        alternative("abc\r\n" * 60_000, LINKS),
    ],
)
def test_no_more_than_the_beginning_is_looked_at(content: bytes) -> None:
    text = text_of(content)
    assert text.startswith("abc\n")
    assert 200_000 < len(text) <= MOST_TEXT or text.count("abc") > 35_000


def test_ten_thousand_links_are_found_each_once() -> None:
    found = text_of(alternative("Hello", LINKS * 2)).split("\n")
    assert found == ["Hello", *(f"https://a.example/{n}" for n in range(10_000))]


def test_what_nobody_sees_is_no_text_but_its_links_are_found() -> None:
    html = (
        "<style>a{}</style><!-- <a href='/no'> --><p>Hi</p>"
        "<p style='display:none'>secret <a href='https://a.example/&#x66;'>x</a></p>"
        "<img alt='Logo'> <a name=x>no link</a> <a href=' /b\r\nc '>y</a>"
    )
    assert text_of(HTML + html.encode()) == (
        "Hi\n\nLogo no link y /bc\nhttps://a.example/f"
    )


@pytest.mark.parametrize(
    "piece",
    [
        *("<a href=a>", "<a href=abcdef>", "<a ", "<a href='", "(a) ", "&#38;", "<"),
        *("<area href=a>", "<a href=&#97;b>c</a>", "<p>a ", "a\r\n", "<a href=>"),
    ],
)
def test_it_takes_time_in_proportion(piece: str) -> None:
    assert is_linear(lambda html: text_of(HTML + html.encode()), repeated(piece))
    both = lambda html: text_of(alternative(html, html))  # noqa: E731
    assert is_linear(both, repeated(piece))
