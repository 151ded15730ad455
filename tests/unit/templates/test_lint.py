"""Each rule of the lint, by what it says and by what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.templates.known import Given
from relay.templates.lint import Problem, problems
from relay.templates.source import Source
from relay.templates.support import support
from relay.templates.template import Template
from tests.worst_input import is_linear, repeated


def looked_at(source: Source, known: Given | None = None) -> list[Problem]:
    template = Template(source, email_address="", missing="keep")
    return problems(template, None, given=known or {})


def found(content: str, kind: str = "", **more: str) -> list[str]:
    """What is said of the content, as `line:column level text`."""
    source = Source("SignIn", "s", content, place="here", **more)  # type: ignore[arg-type] # texts alone
    return [
        f"{one.row}:{one.column} {one.level} {one.text}"
        for one in looked_at(source)
        if kind in ("", one.kind)
    ]


@pytest.mark.parametrize(
    "content",
    [
        '<a href="https://acme.example/{{code}}">Go</a>',
        '<a href="{{code}}">Go</a><a href="{{code}}/x">Go</a>',
        '<a href="mailto:a@b.example">Go</a><a href="tel:112"><a href="#top">Go</a>',
        '<img src="https://acme.example/a.png" alt=""><img alt src="https://acme.example/b.png">',
        "<p>http://acme.example is text here</p>",
        '<html xmlns="http://www.w3.org/1999/xhtml"><body></body></html>',
        '<!-- <a href="/x"><img> --><base href="/">',
        '<p style="display:block;position:relative;width:calc(100%)"'.replace(
            "width:calc(100%)", "margin:0 auto"
        )
        + ">",
        '<p style="border-radius:8px;box-shadow:0 1px 2px #000;max-width:480px">',
    ],
)
def test_good_html_is_left_alone(content: str) -> None:
    assert found(content) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '\n<a href=" http://acme.example/{{code}}">',
            (
                "2:10 error http://acme.example/…: is not encrypted on its way; "
                "use https://"
            ),
        ),
        (
            '<img alt="" src="http://acme.example/a.png">',
            (
                "1:18 error http://acme.example/a.png: is not encrypted on its way; "
                "use https://"
            ),
        ),
        (
            "<p style=\"background:url('http://acme.example/a.png')\">",
            (
                "1:11 error http://acme.example/a.png: is not encrypted on its way; "
                "use https://"
            ),
        ),
        (
            "<style>\n@font-face{src:url(http://a.example/f)}</style>",
            "2:12 error http://a.example/f: is not encrypted on its way; use https://",
        ),
        (
            '<!--[if mso]><a href="http://a.example">x</a><![endif]-->',
            "1:23 error http://a.example: is not encrypted on its way; use https://",
        ),
        (
            '<a href="/reset">',
            (
                "1:10 warning /reset: is relative, and a mail has no page that it "
                "could be relative to; begin it with https:// and a host"
            ),
        ),
        (
            '<a href="//acme.example/reset">',
            (
                "1:10 warning //acme.example/reset: is relative, and a mail has no "
                "page that it could be relative to; begin it with https:// and a host"
            ),
        ),
        ("<a href=''>", "1:8 warning a link that leads nowhere: it is empty"),
    ],
)
def test_insecure_and_relative_links_are_said(content: str, said: str) -> None:
    assert found(content, "link") == [said]


def test_a_plain_text_is_looked_at_for_insecure_links() -> None:
    said = "is not encrypted on its way; use https://"
    content = "Go to\nhttp://acme.example/{{code}} now"
    assert found(content, content_type="text/plain") == [
        f"2:1 error http://acme.example/…: {said}"
    ]
    text = [
        (one.file, one.row, one.text)
        for one in looked_at(
            Source("SignIn", "s", "<p>", text="x http://a.example", place="here")
        )
    ]
    assert text == [("here.text", 1, f"http://a.example: {said}")]


@pytest.mark.parametrize(
    "image",
    [
        "<img src='https://acme.example/a.png'>",
        "<img src='https://acme.example/a.png' title='x'>",
    ],
)
def test_an_image_without_alt_is_an_error(image: str) -> None:
    assert found(f"<p>\n {image}") == [
        "2:2 error an image without alt: readers with images off see nothing"
    ]
    assert found("{{code}}<img {{code}} src='https://acme.example/a'>", "image") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('<p style="display:flex">', "1:11 display:flex: Outlook for Windows"),
        (
            "<style>\n.a{float:left}\n.b{float:right}</style>",
            "2:4 float: Outlook for Windows (2 places)",
        ),
        (
            '<p style="width:100px;width:calc(1px + 2px)"><i style="width:calc(1px)">',
            "1:56 calc(): Outlook for Windows, Outlook.com and Yahoo Mail",
        ),
        (
            '<p style="color:var(--x)">',
            "1:11 var(): Outlook for Windows, Outlook.com, Gmail and Yahoo Mail",
        ),
        (
            '<p style="margin:1rem">',
            "1:11 the unit rem: Outlook for Windows and Yahoo Mail",
        ),
        (
            "<style>li:first-child{margin:0}</style>",
            "1:8 :first-child: Outlook for Windows and Gmail",
        ),
        (
            "<style>p:after{content:':first-child'}</style>",
            "1:8 :after: Outlook for Windows, Gmail and Yahoo Mail",
        ),
        (
            "<video></video>",
            "1:1 <video>: Outlook for Windows, Outlook.com, Gmail and Yahoo Mail",
        ),
        (
            "<p hidden>",
            (
                "1:10 the attribute hidden: Outlook for Windows, Outlook.com, Gmail "
                "and Yahoo Mail"
            ),
        ),
        (
            '<img alt="" src="https://a.example/a.webp?v=1">',
            "1:18 .webp images: Outlook for Windows",
        ),
        ('<img alt="" src="data:image/png;base64,AA">', "1:18 data: images: Gmail"),
        (
            '<link rel="stylesheet" href="https://a.example/a.css">',
            "1:1 <link>: Outlook.com, Gmail and Yahoo Mail",
        ),
        (
            "<script></script>",
            (
                "1:1 <script>: Outlook for Windows, Outlook.com, Gmail, Apple Mail and "
                "Yahoo Mail"
            ),
        ),
        (
            '<p style="color:#111;&#102;loat:left">',
            "1:11 float: Outlook for Windows",
        ),
    ],
)
def test_what_mail_programs_do_not_take_is_said_with_their_names(
    content: str, said: str
) -> None:
    place, _, rest = said.partition(" ")
    what, _, programs = rest.rpartition(": ")
    assert found(content, "support") == [
        f"{place} warning {what}: not taken by {programs}"
    ]


@pytest.mark.parametrize(
    "content",
    [
        # They do not look inside, or it only adds to what stands before it.
        "<style>@media (max-width:9px){.a{float:left}}</style>",
        "<style>@supports (display:grid){.a{display:grid}}</style>",
        "<style>@font-face{src:url(https://a.example/a.woff2)}</style>",
        "<style>.a{color:#111;color:var(--a)} .b{width:9px;width:min(9px,1vw)}</style>",
        '<p style="background-color:#fff;background-image:url(https://a.example/a)">',
        '<!--[if !mso]><!--><p style="display:flex"><!--<![endif]-->',
        '<!--[if mso]><p style="float:left"><![endif]-->',
        '<p style="float:none;position:static"><link rel="icon" href="https://a.example">',
        "<style>/* .a{float:left} */</style>",
    ],
)
def test_what_harms_no_reader_is_left_alone(content: str) -> None:
    assert found(content) == []


def test_a_dark_style_is_for_who_takes_it() -> None:
    content = "<style>@media (prefers-color-scheme: dark){p{color:var(--a)}}</style>"
    assert found(content) == ["1:46 warning var(): not taken by Outlook.com"]


def test_the_table_says_when_it_was_made() -> None:
    assert support().date == "2026-06-29"


def test_unknown_variables_are_errors_in_each_setting() -> None:
    source = Source(
        "SignIn",
        "For {{codes}}",
        "<p>{{code}}\n {{nickname}} {{user.name}} {{nickname}}</p>",
        send_from="{{ brand }}",
        place="here",
    )
    logto = "Logto passes no such variable with SignIn"
    app = "if your app does, a kept test that has it says so"
    assert [
        (one.kind, one.level, one.line, one.file, one.row, one.column, one.text)
        for one in looked_at(source, {"SignIn": {"user": None}})
    ] == [
        ("variable", "error", line, f"here.{setting}", row, column, text)
        for setting, line, row, column, text in (
            ("subject", 0, 1, 5, f"{{{{codes}}}}: {logto}; did you mean code?"),
            ("content", 2, 2, 2, f"{{{{nickname}}}}: {logto}; {app}"),
            ("sendFrom", 0, 1, 1, f"{{{{brand}}}}: {logto}; {app}"),
        )
    ]


def test_a_usage_of_which_nothing_is_told_has_no_variable_that_is_wrong() -> None:
    source = Source("Order", "Order {{order.id}}", "<p>{{customer}} {{code}}</p>")
    assert looked_at(source) == []
    assert looked_at(source, {"": {"code": None}}) == []
    told = {"Order": {"order": None, "customer": None}}
    assert [one.text.partition(":")[0] for one in looked_at(source, told)] == [
        "{{code}}"
    ]


def test_the_lines_are_those_of_the_file() -> None:
    source = Source(
        "SignIn",
        "For {{nickname}}",
        "<p>\n<img>{{#if x}}",
        text="\n {{pet}}",
        file=Path("t/SignIn.html"),
        text_file=Path("t/SignIn.txt"),
        first_line=4,
        setting_lines={"subject": 2},
        place="t/SignIn.html",
    )
    assert [
        (one.file, one.row, one.column, one.kind, one.line) for one in looked_at(source)
    ] == [
        ("t/SignIn.html", 5, 6, "syntax", 2),
        ("t/SignIn.html", 2, 1, "variable", 0),
        ("t/SignIn.txt", 2, 2, "variable", 0),
        ("t/SignIn.html", 5, 1, "image", 2),
    ]


def test_places_where_a_value_does_harm_are_errors() -> None:
    assert found("<p>\n<a href={{code}}>") == [
        (
            "2:1 error {{code}} in an attribute without quotes: a value could add "
            "attributes; put quotes around it"
        )
    ]
    assert found("<a href='javascript:f()'>", "place") == [
        "1:1 error a javascript: link: mail programs do not follow it"
    ]


def test_what_is_not_closed_is_an_error_at_its_place() -> None:
    template = Template(
        Source("SignIn", "s", "<p>\n {{code", place="here"),
        email_address="",
        missing="keep",
    )
    assert next(
        (one.kind, one.level, one.file, one.row, one.column, one.text)
        for one in problems(template, None)
    ) == ("syntax", "error", "here.content", 2, 2, "{{ is not closed")


@given(st.text("<>/!-='\"{}[]:;@.()ahimgstylefrc \n", max_size=120))
def test_any_template_can_be_looked_at(content: str) -> None:
    for one in looked_at(Source("SignIn", content, content, text=content)):
        assert one.row >= 1
        assert one.column >= 1


def test_what_gmail_clips_is_said() -> None:
    template = Template(Source("SignIn", "s", "<p>"), email_address="", missing="keep")
    [problem] = problems(template, "é" * 51_001)
    assert (problem.kind, problem.text) == (
        "size",
        "102 kB of HTML: Gmail cuts it off at 102 kB",
    )
    assert problems(template, "é" * 51_000) == []


@pytest.mark.parametrize(
    "piece",
    [
        "<a href='/",
        "<p style='a:b;",
        "<style>a{",
        "<!--[if !mso]><!-->",
        '<p style="color:var(',
        "<img src=x ",
        "http://",
        "<a href=x>",
    ],
)
def test_twice_the_html_takes_twice_the_time(piece: str) -> None:
    def look(content: str) -> None:
        looked_at(Source("SignIn", "s", content))

    assert is_linear(look, repeated(piece, "", ""))
