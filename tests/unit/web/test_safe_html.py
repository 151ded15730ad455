"""A mail's HTML for a frame: what stays, what goes, and that it is bounded."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.web.preview import MAX_INLINE, Preview
from relay.web.safe_html import safe
from tests.worst_input import is_linear, repeated

SRCSET = '<img srcset="//a 2x">'


def shown(html: str) -> str:
    return safe(html, lambda _: None).html


@pytest.mark.parametrize(
    "html",
    [
        "<!DOCTYPE html>\n<html><head></head><body>\n<p>Hi <b>you</b> &amp; me</p>",
        '<a href="https://a.example/?a=1&amp;b=2" target="_blank" data-test="x">Go</a>',
        '<img src="https://a.example/x.png" alt="" width="1"><br><br /><hr/>',
        '<img src="data:image/png;base64,AA==">',
        "<style>a>b{color:red}@media (min-width:1px){p{x:y}}</style>",
        '<table bgcolor="#fff"><tr><td style="padding:1px" colspan="2">x</td></tr>',
        '<a href="mailto:a@b.example">x</a><a href="#top">y</a><a href="/z">z</a>',
    ],
)
def test_usual_html_stays_as_it_is(html: str) -> None:
    assert shown(html) == html


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("<li<link>nk rel=preconnect href=//a>x", "nk rel=preconnect href=//a>x"),
        ("<l<link>ink rel=preconnect href=//a>x", "ink rel=preconnect href=//a>x"),
        ("<<link>link rel=preconnect>x", "&lt;link rel=preconnect>x"),
        ("a<iframe src='https://a.example'>b</iframe>c", "ac"),
        ("a<svg><image href='//a.example'/>b</svg>c<math>d</math>", "ac"),
        ("<script>1</script><title>2</title><template>3</template>4", "4"),
        ("<meta http-equiv=refresh content='0;url=//a'><base href=//a>x", "x"),
        ("<object data=x>a</object><video src=x>b</video><embed src=x>", "ab"),
        ("<p onclick='x()' STYLE=color:red a\"b>x", '<p STYLE="color:red">x'),
        ("<a href='javascript:x' ping=//a.example>x</a>", "<a>x</a>"),
        ("<a href=' java&#10;script:x'>x</a>", "<a>x</a>"),
        ("<img src=file:///x srcset='//a 2x' attributionsrc=//a>", SRCSET),
        ("<form action=//a><input type=image src=//a>", '<form><input type="image">'),
        ("<p title='a\"><link>'>x", '<p title="a&quot;&gt;&lt;link&gt;">x'),
        ("<!--<link>--><![CDATA[<link>]]>x<!--", "]]>x"),
        ("x < y <3 <p", "x &lt; y &lt;3 &lt;p"),
        ("<style/><link rel=x>", ""),
        ("<plaintext><b>x</b>", "<b>x</b>"),
        ("x<a href='//a.example>y", "x"),
    ],
)
def test_what_is_not_known_as_harmless_goes(html: str, left: str) -> None:
    assert shown(html) == left


PIECES = """
<link <li <iframe <style> </style> <script> <!-- --> <svg> </svg> <a <p > ' " = / < x
&lt; on src href= rel=preconnect <title> <! é
"""


@given(
    st.lists(
        st.sampled_from([*PIECES.split(), " ", "\n", "\0"]),
        max_size=30,
    ).map("".join)
)
def test_what_was_made_safe_is_safe(html: str) -> None:
    found = shown(html)
    assert shown(found) == found  # a fixed point: nothing comes together anew
    for name in ("link", "iframe", "script", "svg", "title"):
        outside_of_style = found.split("<style")[0]
        assert f"<{name}" not in outside_of_style.lower()


def test_what_would_be_fetched_is_counted() -> None:
    html = (
        "<img src=//a.example/x><img src='http://a.example' srcset='https://b 2x'>"
        "<td background=https://a.example><p style='background:url( //a.example)'>"
        "<style>@import 'https://a.example';a{b:url(https://a.example)}</style>"
        "<img src=x.png><a href=https://a.example><iframe src=//a.example>"
    )
    assert safe(html, lambda _: None).remote == 7


def related(html: bytes, *parts: tuple[bytes, bytes, bytes]) -> Preview:
    pieces = [b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"]
    pieces.append(b"Content-Type: text/html\r\n\r\n" + html + b"\r\n")
    for kind, name, body in parts:
        pieces.append(b"--b\r\nContent-Type: " + kind + b"\r\nContent-ID: <" + name)
        pieces.append(
            b">\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body + b"\r\n"
        )
    return Preview(b"".join([*pieces, b"--b--\r\n"]))


def test_images_of_the_mail_stand_in_it() -> None:
    preview = related(
        b"<img src=cid:a@b><img src='cid:a%40b'><p style=\"background:url('cid:a@b')\">"
        b"<style>p{background:url(cid:a@b)}</style><img src=cid:none><img src=cid:x>",
        (b"image/gif", b"a@b", b"R0lGODlh"),
        (b"image/" + b"y" * 60, b"x", b"R0lGODlh"),
    )
    url = "data:image/gif;base64,R0lGODlh"
    assert preview.html is not None
    assert preview.html.strip() == (
        f'<img src="{url}"><img src="{url}">'
        f"<p style=\"background:url('{url}')\">"
        f"<style>p{{background:url({url})}}</style>"
        '<img src="cid:none"><img src="cid:x">'
    )
    assert preview.remote == 0


def test_an_image_that_is_shown_a_thousand_times_stays_within_bounds() -> None:
    image = b64encode(b"x" * 750_000)
    preview = related(b"<img src=cid:a>" * 1000, (b"image/png", b"a", image))
    tracemalloc.start()
    try:
        html = preview.html
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert html is not None
    assert html.count("cid:a") + html.count("data:image") == 1000
    assert html.count("data:image") == MAX_INLINE // (len(image) + 22)
    assert most < 4 * MAX_INLINE


@pytest.mark.parametrize(
    ("piece", "before"),
    [
        ("url(", "<p style='"),
        (" ", "<p style='url("),
        ("@import ", "<style>"),
        (" ", "<style>@import '"),
        (" ", "<img src='"),
        ("cid:", "<p style='"),
        ("cid:a", "<style>"),
        ("a", "<img src='"),
        ("src=", "<img "),
        ("src= ", "<img "),
        ("<svg>", ""),
        ("<b>", ""),
        ("<style>", ""),
        ("<a href=x>", ""),
        ("<link", ""),
        ("A-", ""),
        ("A", "G-"),
        ("http://", ""),
        ("1 ", ""),
    ],
)
def test_twice_the_mail_takes_twice_the_time(piece: str, before: str) -> None:
    def looked_at(html: str) -> None:
        preview = Preview(f"Content-Type: text/html\r\n\r\n{html}".encode())
        _ = preview.html, preview.remote, preview.links, preview.text, preview.code

    assert is_linear(looked_at, repeated(piece, before, "'>"))
