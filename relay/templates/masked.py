"""A template with its own syntax taken out, each letter of the rest at its place.

So the HTML of it can be looked at, whatever a tag of Jinja holds: `{% if a < b %}`.
"""

from __future__ import annotations

import re

# A noncharacter: a variable stands there.
MARK = "\ufdd0"

_SIMPLE = re.compile(r"\{\{\{?+[^{}]*+\}\}\}?+")
_STRING = r""""[^"\\]*+(?>(?:\\.[^"\\]*+)*)" | '[^'\\]*+(?>(?:\\.[^'\\]*+)*)'"""
_JINJA = re.compile(
    rf"""
      \{{\{{ (?>(?: {_STRING} | [^"'}}]++ | \}}(?!\}}) | ["'] )*) (?:\}}\}}|\Z)
    | \{{% (?>(?: {_STRING} | [^"'%]++ | %(?!\}}) | ["'] )*) (?:%\}}|\Z)
    | \{{\# .*? (?:\#\}}|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_VISIBLE = re.compile(r"[^\n\ufdd0]")


def masked(content: str, syntax: str = "simple") -> str:
    """As long as `content`: variables are marks, other tags and comments blanks."""
    content = content.replace(MARK, "\ufffd")
    pattern = _SIMPLE if syntax == "simple" else _JINJA
    return pattern.sub(
        lambda match: _VISIBLE.sub(MARK if match[0][1] == "{" else " ", match[0]),
        content,
    )
