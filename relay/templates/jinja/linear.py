"""A template's HTML as it stands, one way after the other, with its variables in place.

What is wrong with the places of its variables is said at the start by this, before a
mail takes any way through it.
"""

from __future__ import annotations

import re

from relay.templates.placeholder import Text, Variable

# As in Jinja, which compiled it before: none of them begins inside another.
_BRACES = re.compile(r"\{\{[-+]?(?P<value>.*?)[-+]?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_NAME = re.compile(r"\s*([A-Za-z_][\w.]*)")
_SAFE = re.compile(r"\|\s*safe\s*\Z|\A\s*message\.html\s*\Z")


def linear(html: str) -> Text:
    """The text; statements are what they have of line ends."""
    pieces: list[str | Variable] = []
    end = 0
    for match in _BRACES.finditer(html):
        pieces.append(html[end : match.start()])
        end = match.end()
        value = match["value"]
        if value is None:
            pieces.append("\n" * match[0].count("\n"))
            continue
        name = _NAME.match(value)
        raw = bool(_SAFE.search(value.rstrip()))
        pieces.append(Variable(name[1] if name else "", raw, match[0]))
    pieces.append(html[end:])
    return Text(tuple(piece for piece in pieces if piece != ""))
