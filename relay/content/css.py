"""CSS taken apart: at-rules, selectors, declarations; linear, and it never fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# What may stand whole before the next of `{`, `}` and `;`.
_PIECE = re.compile(
    r"""
    (?>(?: [^{};"'/(\\]++ | /(?!\*) | \\.?
      | "[^"\\\n]*+(?>(?:\\.[^"\\\n]*+)*)(?:"|(?=\n)|\Z)
      | '[^'\\\n]*+(?>(?:\\.[^'\\\n]*+)*)(?:'|(?=\n)|\Z) | \((?>(?:[^()"'{}]*+\))?)
    )+)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_AT = re.compile(r"@([A-Za-z-]++)")
_DECLARATION = re.compile(r"\s*+([*_]?[A-Za-z-][A-Za-z0-9_-]*+)\s*+:")
MOST_DEPTH = 50


class Declaration(NamedTuple):
    """`name: value`, both as they stand; `block` is the number of its block."""

    name: str
    value: str
    start: int
    block: int
    around: tuple[str, ...]  # the at-rules that it stands in: `@media (…)`


class Selector(NamedTuple):
    """What stands before a block that is no at-rule's."""

    text: str
    start: int
    around: tuple[str, ...]


class AtRule(NamedTuple):
    """`@name text`, with a block or without."""

    name: str
    text: str
    start: int
    around: tuple[str, ...]


Statement = Declaration | Selector | AtRule


def statements(css: str, *, in_block: bool = False) -> Iterator[Statement]:
    """All of a style element, or with `in_block` of a style attribute, in order.

    A declaration of an at-rule's own block, as @font-face has, is one too.
    """
    css = _COMMENT.sub(lambda match: " " * len(match[0]), css)
    # The open blocks: what each begins with where it is an at-rule's, and its number.
    opened: list[tuple[str, int]] = [("", 0)] if in_block else []
    blocks = 0
    position = 0
    while position < len(css):
        match = _PIECE.match(css, position)
        text = match[0] if match else ""
        end = position + len(text)
        sign = css[end : end + 1]
        start = position + len(text) - len(text.lstrip())
        around = tuple(rule for rule, _ in opened if rule)
        position = end + 1
        said = text.strip()
        at = _AT.match(said)
        if at and sign != "}":
            yield AtRule(at[1].lower(), said[at.end() :].strip(), start, around)
        if sign == "{":
            blocks += 1
            if not at and said:
                yield Selector(said, start, around)
            if len(opened) < MOST_DEPTH:
                opened.append((said if at else "", blocks))
            continue
        if opened and not at and (name := _DECLARATION.match(text)):
            value = text[name.end() :].strip()
            yield Declaration(name[1].lower(), value, start, opened[-1][1], around)
        if sign == "}" and len(opened) > in_block:
            opened.pop()
