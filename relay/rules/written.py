"""A rule as TOML, to be copied into the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_]+")
_LITERAL = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f']*")  # what may stand between '…'
_BACKSLASH_OR_QUOTE = re.compile(r"[\\\\\"]")
_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f]')


def written(rule: Mapping[str, Any]) -> str:
    """The settings of a rule by their names, a line each, in their order."""
    lines = ["[[rules]]", *(f"{_key(name)} = {_value(rule[name])}" for name in rule)]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            pairs = [
                f"{_key(name)} = {_value(one)}"
                for name, one in value.items()
                if one is not None  # TOML has no null, and a template shows nothing
            ]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
        case str():
            return _text(value)
        case Sequence():
            return _list([_value("" if one is None else one) for one in value])
    return str(value)


def _list(items: Sequence[str]) -> str:
    line = f"[{', '.join(items)}]"
    if len(items) == 1 or len(line) <= 70:
        return line
    return "\n".join(["[", *(f"  {item}," for item in items), "]"])


def _text(text: str) -> str:
    """Without escapes where that can be: expressions are full of backslashes."""
    if _BACKSLASH_OR_QUOTE.search(text) and _LITERAL.fullmatch(text):
        return f"'{text}'"
    escaped = _ESCAPED.sub(
        lambda match: (
            f"\\{match[0]}" if match[0] in '\\"' else f"\\u{ord(match[0]):04x}"
        ),
        text,
    )
    return f'"{escaped}"'
