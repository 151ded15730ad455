"""Templates with their own syntax taken out, for who looks at the HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.templates.masked import MARK, masked
from tests.worst_input import is_linear, repeated


def shown(content: str, syntax: str) -> str:
    made = masked(content, syntax)
    assert len(made) == len(content)
    assert made.count("\n") == content.count("\n")
    return made.replace(MARK, "~")


@pytest.mark.parametrize(
    ("syntax", "content", "left"),
    [
        ("simple", "a{{ x }}b{{{y}}}c", "a~~~~~~~b~~~~~~~c"),
        ("simple", "{% if %}{{#if x", "{% if %}{{#if x"),
        ("simple", "{{ x\n}}", "~~~~\n~~"),
        ("jinja", "a{{ x }}b{% if a < b %}c", "a~~~~~~~b              c"),
        ("jinja", "{{ '}}' ~ \"%}\" }}.", "~~~~~~~~~~~~~~~~~."),
        ("jinja", "{# {{ a }} #}.{% if '%}' %}.", "             .             ."),
        ("jinja", "{{ {'a': 1} }}.", "~~~~~~~~~~~~~~."),
    ],
)
def test_each_letter_of_the_rest_is_at_its_place(
    syntax: str, content: str, left: str
) -> None:
    assert shown(content, syntax) == left


@given(st.text("{}%#'\"a\n ", max_size=60), st.sampled_from(["simple", "jinja"]))
def test_any_text_keeps_its_length_and_lines(content: str, syntax: str) -> None:
    shown(content, syntax)


@pytest.mark.parametrize("syntax", ["simple", "jinja"])
@pytest.mark.parametrize("piece", ["{{", "{%", "{#", "{{'", '{% "', "{{}", "}}", "{{{"])
def test_twice_the_template_takes_twice_the_time(piece: str, syntax: str) -> None:
    assert is_linear(lambda text: masked(text, syntax), repeated(piece, "", ""))
