"""HTML to text: what a reader without HTML sees, of the worst HTML too."""

from __future__ import annotations

import pytest

from relay.content.html_to_text import from_html
from tests.worst_input import is_linear, repeated


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi <b>you</b></p><p>there", "Hi you\n\nthere"),
        (
            '<a href="https://a.example/?a=1&amp;b=2">Go</a>',
            "Go <https://a.example/?a=1&b=2>",
        ),
        ("<a href=https://a.example>https://a.example</a>", "https://a.example"),
        ("<p don't>yes</p>", "yes"),
        ("<ul><li>1<li>2</ul>", "- 1\n- 2"),
        ("<style>p>b{}</style>a<script>if (a<b) x()</script>b", "ab"),
        ("a<div style='display : none'>no<div>no</div></div>b", "ab"),
        ("5 < 6 and a <b", "5 < 6 and a <b"),
        # As in a browser, what nobody closes reaches to the end.
        ('yes<p title="no>no</p>no', "yes"),
        ("yes<!-- no --no> no", "yes"),
        ("&#" + "9" * 5000 + ";&#0000000000065;", "\ufffdA"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert from_html(html) == text


@pytest.mark.parametrize(
    ("piece", "before", "after"),
    [
        ("a", "<", ' ">'),
        ("a", "<p x=1 ", ">"),
        ("a ", "<p ", ">"),
        ("<a href=x>", "", ""),
        ("<a href='", "", ">"),
        ("</a", "<a href=x>", ">"),
        ("<pre>\r", "", ""),
        ("display", "<p style='", "'>"),
        (" ", "<p style='display", "'>"),
        ("<br>", "", ""),
        ("<p>", "x", "y"),
        ("<li>", "", ""),
        ("<div style=display:none>", "", ""),
        ("\n", "", "x"),
        ("\n", "<pre>", "x"),
        (" \n", "<pre>", "x"),
        ("&#", "", ">"),
        ("<title>", "", ">"),
    ],
)
def test_twice_the_html_takes_twice_the_time(
    piece: str, before: str, after: str
) -> None:
    assert is_linear(from_html, repeated(piece, before, after))
