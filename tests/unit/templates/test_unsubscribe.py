"""`unsubscribe`: the two fields of RFC 8058, and what makes none."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.templates.source import Source
from tests.unit.templates.test_template import ORIGINAL, applied, problem, refusal

LINK = "https://acme.example/u/{{token}}"
ONE_CLICK = "List-Unsubscribe=One-Click"
MAKES_NONE = (
    "550 5.6.0 The template's unsubscribe makes no https:// link of at most 900 "
    "characters"
)


def news(unsubscribe: str = LINK) -> Source:
    return Source("SignIn", "Hi", "<p>Hi</p>", place="here", unsubscribe=unsubscribe)


def fields(
    unsubscribe: str,
    variables: dict[str, Any],
    *,
    original: bytes = ORIGINAL,
    missing: str = "reject",
) -> list[tuple[str, str]]:
    made = applied(news(unsubscribe), variables, original=original, missing=missing)
    return [
        (name, re.sub(r"\s", "", value))
        for name, value in made.items()
        if name.lower().startswith("list-")
    ]


@pytest.mark.parametrize(
    ("setting", "variables", "link"),
    [
        (LINK, {"token": "3f9a"}, "https://acme.example/u/3f9a"),
        (LINK, {"token": "a/b?c=é> \r\nX: y"}, None),
        ("https://{{ host }}/u?t={{n}}", {"host": "a.example", "n": 7}, None),
        ("{{{link}}}", {"link": " https://b.example/?a=1&b=2 "}, None),
        ("https://a.example/{{{path}}}", {"path": "u/1"}, "https://a.example/u/1"),
    ],
)
def test_the_link_is_made_of_the_variables(
    setting: str, variables: dict[str, Any], link: str | None
) -> None:
    link = (
        link
        or {
            LINK: "https://acme.example/u/a%2Fb%3Fc%3D%C3%A9%3E%20%0D%0AX%3A%20y",
            "https://{{ host }}/u?t={{n}}": "https://a.example/u?t=7",
            "{{{link}}}": "https://b.example/?a=1&b=2",
        }[setting]
    )
    assert fields(setting, variables) == [
        ("List-Unsubscribe", f"<{link}>"),
        ("List-Unsubscribe-Post", ONE_CLICK),
    ]


def test_it_replaces_what_the_mail_says_itself_and_keeps_the_rest() -> None:
    original = (
        b"List-Unsubscribe: <mailto:u@a.example>\r\nList-Id: <n.a.example>\r\n"
        b"list-unsubscribe-post: x\r\n" + ORIGINAL
    )
    assert fields(LINK, {"token": "1"}, original=original) == [
        ("List-Unsubscribe", "<https://acme.example/u/1>"),
        ("List-Unsubscribe-Post", ONE_CLICK),
        ("List-Id", "<n.a.example>"),
    ]


@pytest.mark.parametrize("setting", ["", "{{{link}}}"])
def test_without_a_link_the_mail_keeps_its_own(setting: str) -> None:
    original = b"List-Unsubscribe: <mailto:u@a.example>\r\n" + ORIGINAL
    assert fields(setting, {"link": ""}, original=original) == [
        ("List-Unsubscribe", "<mailto:u@a.example>")
    ]
    assert fields(setting, {"link": None}) == []


def test_a_missing_variable_is_what_missing_variables_says() -> None:
    said = refusal(news(), {})
    assert said == "550 5.6.0 Variables not given: token"
    (kept, _), (empty, _) = (
        fields(LINK, {}, missing=missing) for missing in ("keep", "empty")
    )
    assert kept == ("List-Unsubscribe", "<https://acme.example/u/{{token}}>")
    assert empty == ("List-Unsubscribe", "<https://acme.example/u/>")


@pytest.mark.parametrize(
    "link",
    [
        *("http://a.example/", "javascript:x", "https://a b", "https://a>, <mailto:b"),
        *("https://é.example/", "https://", "https://a/" + "x" * 900, "mailto:a@b"),
    ],
)
def test_what_makes_no_link_is_refused_without_its_value(link: str) -> None:
    assert refusal(news("{{{link}}}"), {"link": link}) == MAKES_NONE


@pytest.mark.parametrize(
    "setting",
    ["http://a.example/{{t}}", "{{link}}", "mailto:u@a", "https://é/", "https://a b/"],
)
def test_a_setting_that_can_be_no_link_stops_the_start(setting: str) -> None:
    assert problem(news(setting)).startswith(
        f"here: unsubscribe = {setting!r}: must be a link that begins with https://"
    )


@given(st.text(max_size=60))
def test_no_value_leaves_its_place_in_the_link(token: str) -> None:
    (_, link), *_ = fields(LINK, {"token": token})
    match = re.fullmatch(r"<https://acme\.example/u/([A-Za-z0-9_.~%-]*)>", link)
    assert match is not None
    assert unquote(match[1]) == token
