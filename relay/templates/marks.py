"""Words that stand for the pieces of a template which a library must not see.

A compiler of MJML or CSS knows nothing of placeholders and blocks, and would take
their braces, quotes and angles for its own. A mark is a word that it lets through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

_STRING = r"""(?:"(?>(?:\\.|[^"\\]++)*)"|'(?>(?:\\.|[^'\\]++)*)')"""
_PIECES = {
    "simple": re.compile(r"\{\{\{[^{}]*+\}\}\}|\{\{.*?\}\}", re.DOTALL),
    "jinja": re.compile(
        rf"\{{#.*?#\}}|\{{%(?>(?:{_STRING}|(?!%\}}).)*)%\}}"
        rf"|\{{\{{(?>(?:{_STRING}|(?!\}}\}}).)*)\}}\}}",
        re.DOTALL,
    ),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What one stands for, the line of the template that it is from, and its place."""

    piece: str
    line: int
    place: str
    included: bool = False  # whether it stands in another file than the template's

    @property
    def is_block(self) -> bool:
        """Whether it begins, goes on with or ends a block of Jinja."""
        return self.piece.startswith("{%")


class Marks:
    """The marks of one template."""

    def __init__(self, text: str, syntax: str) -> None:
        # By its own hash, which no text can hold; letters, digits: a word everywhere.
        salt = sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
        self._word = f"m{salt}n"
        self.pattern = re.compile(rf"m{salt}n([0-9]+)e")
        self._pieces = _PIECES[syntax]
        self._marks: list[Mark] = []

    def hide(self, piece: str, line: int, place: str, *, included: bool = False) -> str:
        """The word that is put there instead."""
        self._marks.append(Mark(piece, line, place, included))
        return f"{self._word}{len(self._marks) - 1}e"

    def found(self, text: str) -> list[re.Match[str]]:
        """Where placeholders and blocks are in it."""
        return list(self._pieces.finditer(text))

    def of(self, text: str) -> list[Mark]:
        """Those that are in it, in their order; what they hold is not looked into."""
        return [self._marks[int(match[1])] for match in self.pattern.finditer(text)]

    def within(self, text: str) -> set[int]:
        """The numbers of those in it, and in what these stand for."""
        numbers = {int(match[1]) for match in self.pattern.finditer(text)}
        for number in tuple(numbers):
            numbers |= self.within(self._marks[number].piece)
        return numbers

    def __getitem__(self, number: int) -> Mark:
        return self._marks[number]

    def __len__(self) -> int:
        return len(self._marks)

    def shown(self, mark: Mark) -> str:
        """What it stands for, for a message: in one line, and not too long."""
        piece = " ".join(self.restored(mark.piece).split())
        return piece if len(piece) <= 80 else f"{piece[:79]}…"

    def restored(self, text: str) -> str:
        """The text with what the marks in it stand for."""
        return self.pattern.sub(
            lambda match: self.restored(self._marks[int(match[1])].piece), text
        )
