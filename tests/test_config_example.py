"""config.example.toml says what the models say."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

from relay import config
from relay.config.described import plain
from relay.config.explain import to_camel
from relay.config.models import Account, Rule, Template, User
from relay.config.table import Table
from relay.config.webhooks import Webhook

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
# What an entry cannot be without has an example, no default; nor have the others.
EXAMPLES = {"usageType", "subject", "content", "validFor", "inlineCss"}


def _uncommented() -> dict[str, Any]:
    text = re.sub(r"^#(?![ :])", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    return tomllib.loads(text)


def _plain(value: Table) -> dict[str, Any]:
    """The settings as the file writes them."""
    whole: dict[str, Any] = plain(value)
    whole.pop("file", None)
    return whole


def test_the_example_shows_every_setting_with_its_default_and_no_other() -> None:
    shown = _uncommented()
    wanted = _plain(config.load(None, {}))
    user = _plain(User(name="app"))
    template = _plain(Template(usage_type="SignIn", subject=""))
    rule = _plain(Rule())
    # It takes all keys of [ses], which are shown there.
    own = map(to_camel, Account.__annotations__)
    whole = _plain(Account(name="brand-b"))
    account = {name: whole[name] for name in own}
    [shown_template] = shown["templates"]
    assert shown_template.keys() == template.keys()
    for name in EXAMPLES:
        template[name] = shown_template[name]
    assert shown == {
        **wanted,
        "users": [user],
        "accounts": [account],
        "templates": [template],
        "rules": [rule],
        "webhooks": [_plain(Webhook())],
    }


def test_each_setting_of_the_example_has_a_line_of_explanation() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    own = {'name = "app"', "usageType", "subject", "content ="}
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match(r"#\w+ = ", line) and not before.startswith("# ")
    ]
    assert [x for x in bare if not any(x[1:].startswith(each) for each in own)] == []


def test_a_copy_of_the_example_works_as_it_is() -> None:
    defaults = config.load(None, {})
    loaded = config.load(EXAMPLE, {})
    assert loaded.replaced(file=None) == defaults
