"""Globs and expressions, held against plain definitions of them; no text is slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.pattern import BadPattern, address_pattern, pattern
from relay.rules.text import Text
from tests.worst_input import is_linear, repeated

LETTERS = st.text("ab@.A*?\nß[", max_size=12)


def like(glob: str, text: str) -> bool:
    return pattern(glob).test(Text(text))


@given(LETTERS, st.text("ab@.A\nß[", max_size=20))
def test_a_glob_is_what_the_shell_means_by_it(glob: str, text: str) -> None:
    plain = "".join(
        {"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in glob.lower()
    )
    wanted = re.fullmatch(plain, text.lower(), re.DOTALL) is not None
    assert like(glob, text) == wanted


@given(LETTERS, st.text("ab@.A\nß[", max_size=20))
def test_what_a_pattern_says_of_itself_is_true(glob: str, text: str) -> None:
    lower = text.lower()
    for compiled in (pattern(glob), address_pattern(glob)):
        holds = compiled.test(Text(text))
        assert compiled.needle in lower or not holds
        if compiled.words:
            assert any(said(lower, *one) for one in compiled.words) == holds


def said(lower: str, kind: str, word: str) -> bool:
    match kind:
        case "whole":
            return lower == word
        case "within":
            return word in lower
        case "start":
            return lower.startswith(word)
    return lower.endswith(word)


@pytest.mark.parametrize(
    "glob", ["*a*a*a*a*a*b", "a?*?*?*b", "*?a*?a*?b?*", "*aab*aab*x"]
)
@pytest.mark.parametrize("piece", ["a", "aa", "ab", "aab", "\n"])
def test_no_text_makes_a_glob_slow(glob: str, piece: str) -> None:
    compiled = pattern(glob)
    assert is_linear(lambda text: compiled.test(Text(text)), repeated(piece))


@pytest.mark.parametrize(
    "source",
    [
        "/(a*)*b/",
        "/(a+)+$/",
        "/(a|aa)+$/",
        "/(?:a?){30}a{30}x/",
        "/(.*a){12}x/",
        "/^(([a-z])+.)+[A-Z]([a-z])+$/",
        r"/(?P<link>https?:\/\/(\S+\/)*\S+)x/",
    ],
)
@pytest.mark.parametrize("piece", ["a", "ab", "https://a/", "\n"])
def test_no_text_makes_an_expression_slow(source: str, piece: str) -> None:
    compiled = pattern(source)
    assert is_linear(lambda text: compiled.test(Text(text)), repeated(piece))


@pytest.mark.parametrize(
    "source",
    ["/(/", "/(?=a)/", r"/\1/", "/((a{99}){99}){99}/", "/[b-a]/", "/\ud800/"],
)
def test_what_is_no_expression_is_said(source: str) -> None:
    with pytest.raises(BadPattern):
        pattern(source)


def test_slashes_make_an_expression() -> None:
    assert like("/b/", "abc")
    assert not like("/b", "abc")
    assert like("/", "/")
    assert like("//", "anything")
    assert like("/^a.b$/", "a\u00e9b")
    assert not like("/A/", "a")
    assert like("/(?i)É/", "é")
    assert not like("/x/", "\ud800")  # what is no character is none of a pattern
