"""A rule as TOML is read back as the same rule."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from relay.rules.written import written

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_what_is_written_is_read_back(rule: dict[str, object]) -> None:
    assert tomllib.loads(written(rule)) == {"rules": [rule]}


def test_a_rule_is_written_as_people_write_it() -> None:
    rule = {
        "name": "shop: codes",
        "subject": '"Your" code*',
        "header": {"X-Mailer": "PHP*", "X-Job": ""},
        "variables": {"product": "Shop", "gone": None, "list": [1, None]},
        "extract": [r"code is (?P<code>\d{6})", "a" * 70, "it's \\d"],
    }
    assert written(rule) == (
        "[[rules]]\n"
        'name = "shop: codes"\n'
        "subject = '\"Your\" code*'\n"
        'header = { "X-Mailer" = "PHP*", "X-Job" = "" }\n'
        'variables = { product = "Shop", list = [1, ""] }\n'
        "extract = [\n"
        "  'code is (?P<code>\\d{6})',\n"
        f'  "{"a" * 70}",\n'
        '  "it\'s \\\\d",\n'
        "]\n"
    )
