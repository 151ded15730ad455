"""Patterns that every Python from 3.11 on reads alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(file.relative_to(ROOT) for file in ROOT.glob("relay/**/*.py"))
# Possessive groups, `(?:…)*+`: where one fails after a part of it, Python before 3.11.5
# (Debian 12's is 3.11.2) does not go back to before that part (gh-106052). An atomic
# group, `(?>(?:…)*)`, is the same and right everywhere; so is `[…]*+`.
POSSESSIVE_GROUP = re.compile(r"(?<!\\)(?:\\\\)*\)(?:[*+?]|\{[0-9,]+\})\+")
BROKEN = r"(?:ab?c)*+"


def texts(module: Path) -> list[tuple[int, str]]:
    """Each text of a module, that of an f-string in pieces."""
    return [
        (node.lineno, _text(node.value))
        for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    ]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


# Its comment says why going on from there comes to the same; an atomic group keeps a
# place for each attribute of a mail of any size, and takes twice the time.
SAME_ALL_THE_SAME = {Path("relay/content/html_tags.py")}


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if module not in SAME_ALL_THE_SAME],
    ids=str,
)
def test_no_pattern_has_a_possessive_group(module: Path) -> None:
    found = [
        (line, text) for line, text in texts(module) if POSSESSIVE_GROUP.search(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "has_one"),
    [
        (BROKEN, True),
        (r'"(?:[^"\\]|\\.){2,}+"', True),
        (r"(?>(?:ab?c)*)", False),
        (r"\)++", False),
        (r"[)]*+", False),
        (r"(a)+", False),
    ],
)
def test_such_a_group_is_seen(pattern: str, has_one: bool) -> None:
    assert bool(POSSESSIVE_GROUP.search(pattern)) is has_one


def test_what_stands_instead_is_right_here() -> None:
    match = re.match(r"(?>(?:ab?c)*)(.*)", "acabcabx")
    assert match is not None
    assert match[1] == "abx"
