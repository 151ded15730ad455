"""Where a template looks at a variable, in either syntax."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from relay.templates.placeholder import Text, Variable


@dataclass(frozen=True, slots=True)
class Use:
    """A variable by its name with the dots; `place` is the file and line, in words.

    `setting` is the one whose text names it, or that names the file which does; `line`
    is that of its text. `inside` are the statements around it, the outermost first:
    for, if, macro. `optional`: the template asks whether it is given, or has something
    in its place.
    """

    name: str
    setting: str
    line: int
    place: str
    inside: tuple[str, ...] = ()
    optional: bool = False


def uses(text: Text, setting: str, at: Callable[[str, int], str]) -> Iterator[Use]:
    """Those of a text in the simple syntax."""
    line = 1
    for piece in text.pieces:
        if isinstance(piece, Variable):
            yield Use(piece.name, setting, line, at(setting, line))
        line += (piece if isinstance(piece, str) else piece.whole).count("\n")
