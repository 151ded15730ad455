"""Globs as in the shell, without regular expressions: no text makes one slow."""

from __future__ import annotations

from collections.abc import Sequence


def in_order(text: str, first: str, middle: Sequence[str], last: str) -> bool:
    """Tell whether a text is `first`, `middle` and `last`, with anything between them.

    Taking each at its first place is enough: what follows has the most room.
    """
    position, end = len(first), len(text) - len(last)
    if not (text.startswith(first) and text.endswith(last) and position <= end):
        return False
    for piece in middle:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True
