"""CSS taken apart, as a lint of mail has to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.css import AtRule, Declaration, Selector, statements
from tests.worst_input import is_linear, repeated


def test_a_style_is_at_rules_selectors_and_declarations_at_their_places() -> None:
    css = (
        "/* a { */ @import url(x.css);\n"
        ".a, b:hover { color : red; Background:url(data:image/png;base64,xx) }\n"
        "@media (max-width: 9px) { .c { width:100% !important } }"
        '@font-face{src:url("a;b}")}'
    )
    found = list(statements(css))
    media = ("@media (max-width: 9px)",)
    assert found == [
        AtRule("import", "url(x.css)", css.index("@import"), ()),
        Selector(".a, b:hover", css.index(".a"), ()),
        Declaration("color", "red", css.index("color"), 1, ()),
        Declaration(
            "background",
            "url(data:image/png;base64,xx)",
            css.index("Background"),
            1,
            (),
        ),
        AtRule("media", "(max-width: 9px)", css.index("@media"), ()),
        Selector(".c", css.index(".c {"), media),
        Declaration("width", "100% !important", css.index("width:100"), 3, media),
        AtRule("font-face", "", css.index("@font"), ()),
        Declaration("src", 'url("a;b}")', css.index("src"), 4, ("@font-face",)),
    ]


def test_a_style_attribute_is_a_block() -> None:
    assert list(statements("color:red;;float:left", in_block=True)) == [
        Declaration("color", "red", 0, 0, ()),
        Declaration("float", "left", 11, 0, ()),
    ]
    assert list(statements("color:red}float:left}", in_block=True)) == [
        Declaration("color", "red", 0, 0, ()),
        Declaration("float", "left", 10, 0, ()),
    ]


@given(st.text("{};:@\"'()/*\\ab\n-", max_size=80))
def test_any_text_is_taken_apart(css: str) -> None:
    for one in statements(css):
        assert 0 <= one.start <= len(css)


@pytest.mark.parametrize(
    "piece",
    ["{", "}", "(", "a{b:(", "'", '"\\', "/*", "/", "@a{", "a:b;", "url('"],
)
def test_twice_the_style_takes_twice_the_time(piece: str) -> None:
    assert is_linear(lambda css: list(statements(css)), repeated(piece, "", ""))
