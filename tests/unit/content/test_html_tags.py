"""HTML taken apart as a browser does it, and in a time that grows with it."""

from __future__ import annotations

import pytest

from relay.content.html_tags import Attribute, Tag, attributes, referenced, tokens
from tests.worst_input import is_linear, repeated


def shape(html: str) -> list[str]:
    """Texts as they are, tags as <name> or </name>, one without an end as <name."""
    return [
        token
        if isinstance(token, str)
        else f"<{'/' * token.closing}{token.name}{'>' * token.whole}"
        for token in tokens(html)
    ]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("", []),
        ("a<B c='>'>d</B >e", ["a", "<b>", "d", "</b>", "e"]),
        ("1 < 2 <3> 4", ["1 <", " 2 <", "3> 4"]),
        ("a <b", ["a <b"]),
        ("<b>a <c<!-- d", ["<b>", "a <c"]),
        ("<p don't>y</p>", ["<p>", "y", "</p>"]),
        ("<p title=\"it's\" x=a'b>y", ["<p>", "y"]),
        ('x<a href="y>z<b>', ["x", "<a"]),
        ("<!-->a<!--->b<!--c--!>d<!-- > -->e<!--f>", ["a", "b", "d", "e"]),
        ("<!doctype html><?xml x?>a<![if !mso]>b", ["a", "b"]),
        (
            "<style>a<b{}</styles></STYLE >c",
            ["<style>", "a<b{}</styles>", "</style>", "c"],
        ),
    ],
)
def test_what_a_browser_sees(html: str, found: list[str]) -> None:
    assert shape(html) == found


def test_attributes_are_those_of_a_browser() -> None:
    source = """ a="1"b='2' C = 3 d e= =f=g / h="<>" 'i'="""
    assert list(attributes(source)) == [
        Attribute("a", "1", '"'),
        Attribute("b", "2", "'"),
        Attribute("C", "3", ""),
        Attribute("d", "", ""),
        Attribute("e", "=f=g", ""),
        Attribute("h", "<>", '"'),
        Attribute("'i'", "", ""),
    ]


def test_a_reference_of_any_length_is_a_character() -> None:
    digits = "9" * 5000
    assert referenced(f"&amp;&#0000000000065;&#{digits};&#{digits}") == "&A\ufffd\ufffd"
    assert referenced("&#xD800;&#128;") == "\ufffd\u20ac"


@pytest.mark.parametrize("before", ["", "<p x=1 ", '<p x="', "<!--", "<style>"])
@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<a x='",
        '<a x="',
        "a",
        "a=",
        " ",
        "/",
        "</",
        "<!",
        "-",
        '"',
        "'>",
        "<!--",
        "</style",
        "<script",
        "&#1",
        "<a x = ",
    ],
)
def test_twice_the_html_takes_twice_the_time(piece: str, before: str) -> None:
    def taken_apart(html: str) -> None:
        for token in tokens(html):
            if isinstance(token, Tag):
                for attribute in attributes(token.source):
                    referenced(attribute.value)
            else:
                referenced(token)

    assert is_linear(taken_apart, repeated(piece, before, ">"))
