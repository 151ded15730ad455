"""Kept tests of the settings' templates, and what rules and tests give to usages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from relay.config import Config, read_text
from relay.config.models import Rule
from relay.templates.kept import KeptTest, kept_tests
from relay.templates.known import Given, Names, names_of, together

# A group of RE2's that has a name: a variable.
_GROUP = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>")


def folder(settings: Config) -> Path:
    """Where the tests are: in the folder of templates, or where one would be."""
    return settings.directory / (settings.templates_dir or "templates") / "tests"


def tests(settings: Config) -> tuple[KeptTest, ...]:
    """All of them. Raises KeptError."""
    return kept_tests(folder(settings), read_text)


def given(settings: Config, kept: Sequence[KeptTest]) -> Given:
    """Names that rules and tests bring, by usage, under "" for any; None: any name."""
    found: dict[str, Names | None] = {}
    for rule in settings.rules:
        for usage in _usages(rule):
            _add(found, usage, _brought(rule))
    for test in kept:
        _add(found, test.usage, names_of(dict(test.variables)))
    return found


def _add(found: dict[str, Names | None], usage: str, names: Names | None) -> None:
    had = found.get(usage, {})
    found[usage] = None if had is None or names is None else together(had, names)


def _usages(rule: Rule) -> Iterator[str]:
    """Whose mail may have what the rule brings."""
    yield rule.usage
    if rule.not_found not in ("pass", "reject"):
        yield rule.not_found


def _brought(rule: Rule) -> Names | None:
    if rule.variables_from == "json":
        return None  # the app's own words decide
    groups = [name for each in rule.extract for name in _GROUP.findall(each)]
    names = names_of(dict(rule.variables)) or {}
    return together(names, dict.fromkeys(groups))
