"""Tags as nearly all are written come to the same as those that are taken apart.

An attribute that says nothing, behind a slash, makes any tag an unusual one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from relay.content.html_tags import Tag, tokens
from relay.content.html_to_text import from_html
from relay.templates.placeholder import Problems, Text, compile_text
from relay.templates.places import Danger, Places
from relay.templates.template import text_of
from tests.worst_input import is_linear, repeated

DOCUMENTS = 1000
PIECES = (
    *("<", ">", "</", "<a ", '<a href="', '"', "'", "=", " ", "\n", "\t", "\r\n", "/"),
    *("<!--", "-->", "--!>", "<!-->", "<!", "<?", "<!doctype html>", "<!-- {{x}} -->"),
    *("<!--[if mso]>", "<![endif]-->", "<script>", "<script/>", "</script>", "<style>"),
    *("<style />", "</style", "</STYLE >", "<strong>", "a", "two  words ", "\xa0", "é"),
    *(
        "javascript:",
        "vbscript:f()",
        "&#106;avascript:x",
        "java&#10;script:",
        "&colon;",
    ),
    *(
        "{{x}}",
        "{{{y}}}",
        "{{ message.html }}",
        "{{\nz }}",
        "<{{x}}>",
        "</{{x}}",
        "<h{{x}}",
    ),
    *("\ufdd0", "\ufdd1", "&#xFDD0;", "&amp;", "&nbsp;", "&", "url(", "display:none"),
    *(
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<tr>",
        "</tr>",
        "<td>",
        "</td>",
        "<ul>",
        "<li>",
    ),
    *('<td style="padding:8px;direction:ltr">', "<td width=600>", "<td width=600/>"),
    *(
        '<p style="display:none">',
        "<p style='d&#105;splay: none'>",
        '<p title="{{x}}">',
    ),
    *('<p style="DISPLAY:none">', '<p style="dıſplay:none">', "<font color=#fff>"),
    *("<br>", "<br/>", "<hr>", "<pre>", "</pre>", "<title>", "</title>", "<head>"),
    *('<img alt="pic &lt;" src="{{x}}">', '<a href="{{x}}">', "<a href={{x}}>", "</a>"),
    *(
        '<a href="https://a.example/{{x}}">',
        '<a href=" javascript:f()">',
        "<a href=''>",
    ),
    *("<a href=javascript:f()>", '<a xlink:href="v&#98;script:{{x}}">', "<p don't>"),
    *('<p onclick="f({{x}})">', '<p style="background:url({{x}})">', "<b {{x}}>"),
    *('<a src="J&Tab;avascript:">', '<a href="j\tavascript:{{x}}">', "<o:p>", "<td/>"),
    *(
        '<td align=left"x">',
        '<td a="1"b="2">',
        '<td a = "1">',
        '<P CLASS="x">',
        "<td =x>",
    ),
)
VARIABLES = {
    "{{{y}}}": "\ufdea",
    "{{ message.html }}": "\ufdeb",
    "{{\nz }}": "\ufdec",
    "{{x}}": "\ufded",
}


def documents() -> Iterator[str]:
    """HTML of all kinds, the same in each run."""
    chance = random.Random(8)
    for number in range(DOCUMENTS):
        size = (3, 8, 20, 60)[number % 4]
        yield "".join(chance.choice(PIECES) for _ in range(size))


def unusual(html: str) -> str:
    """The same HTML, none of its tags written as usual."""
    made = []
    position = 0
    for token in tokens(html):
        if isinstance(token, Tag):
            end = token.start + 1 + token.closing + len(token.name)
            made.append(f"{html[position:end]}/x")
            position = end
    return "".join((*made, html[position:]))


def test_text_of_html() -> None:
    for html in documents():
        assert from_html(html) == from_html(unusual(html)), html


def places(html: str) -> tuple[list[Danger], list[tuple[Text, tuple[str, ...]]], int]:
    """What is found in it."""
    found = Places(compile_text(html, "content", Problems("here")))
    links = [(link.start, link.allowed) for link in found.links]
    return found.dangers, links, found.script_links


def test_places_of_variables() -> None:
    count = [0, 0, 0]
    for html in documents():
        hidden = html
        for variable, letter in VARIABLES.items():  # as a tag's name may have one
            hidden = hidden.replace(variable, letter)
        other = unusual(hidden)
        for variable, letter in VARIABLES.items():
            other = other.replace(letter, variable)
        dangers, links, scripts = places(html)
        assert (dangers, links, scripts) == places(other), html
        count[0] += len(dangers)
        count[1] += len(links)
        count[2] += scripts
    assert min(count) > DOCUMENTS // 10


def _read(html: str) -> object:
    return places(html), text_of(compile_text(html, "content", Problems("here")))


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<td>",
            '<td style="d',
            "<td style='padding:0'>x",
            "<td a",
            "<td a=",
            "<td a=b",
        ),
        *("<td\n", "<p>{{x}}", "<a href='{{x}}'>", "<a href='javascript:'>", "x < y "),
        *("<script/>", "<pre>\n", "<!-- x -->", "<![endif]-->", "<b\n/", "\n<td >\n"),
    ],
)
def test_twice_the_html_takes_twice_the_time(piece: str) -> None:
    assert is_linear(_read, repeated(piece, "", ">"))
