"""MJML to HTML, once at load, by the compiler of `ses-relay[mjml]`.

The compiler sees the elements alone. What they hold (texts, tables, `mj-raw`) and all
placeholders and blocks go through it as marks, and come out byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.templates.marks import Mark, Marks
from relay.templates.mjml_reader import MjmlReader
from relay.templates.source import Source

# Where a line end between tags shows nothing; the compiler makes a single line.
_BETWEEN = re.compile(
    r"(</(?:div|td|tr|table|tbody|head|style|title)>|<(?:tbody|tr)>)(?=<)"
)


class MjmlError(Exception):
    """The MJML cannot be compiled; one line for each place."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The HTML; for each of its lines that in the template; styles to be inlined."""

    html: str
    lines: tuple[int, ...]
    inline_css: str


def compiled(source: Source) -> Compiled:
    """The HTML of the source's content. Raises MjmlError."""
    try:
        from mjml import mjml2html
    except ImportError:
        raise MjmlError(
            f"{source.place}: is MJML, which needs the extra: "
            "pip install 'ses-relay[mjml]'"
        ) from None
    reader = MjmlReader(source)
    reader.read()
    if reader.errors:
        raise MjmlError("\n".join(dict.fromkeys(reader.errors)))
    marks = reader.marks
    try:
        # No fonts: the relay puts nothing into a mail that loads something.
        made = mjml2html("".join(reader.out), fonts={})
    except ValueError as error:
        raise MjmlError(f"{source.at('content')}: {error}") from error
    made = "".join([*reader.before, _BETWEEN.sub(r"\1\n", made), *reader.after])
    lost = set(range(len(marks))) - marks.within(made) - reader.may_go
    for number in tuple(lost):  # what is in another is lost with it
        lost -= marks.within(marks[number].piece)
    mistakes = [
        f"{marks[number].place}: MJML leaves {marks.shown(marks[number])} out; put it "
        "where its element shows it, such as into its text"
        for number in sorted(lost)
    ]
    mistakes += (
        f"{mark.place}: MJML puts {marks.shown(mark)} elsewhere; put the whole "
        "block into one mj-raw or mj-text"
        for mark in _moved(marks, made)
    )
    if mistakes:
        raise MjmlError("\n".join(mistakes))
    html, lines = _with_lines(marks, made)
    return Compiled(html, lines, marks.restored("\n".join(reader.inline_css)))


def _moved(marks: Marks, made: str) -> Iterator[Mark]:
    """What begins, goes on with or ends a block, and is not where it was."""
    last = -1
    for match in marks.pattern.finditer(made):
        number = int(match[1])
        if marks[number].is_block:
            if number <= last:
                yield marks[number]
            last = number


def _with_lines(marks: Marks, made: str) -> tuple[str, tuple[int, ...]]:
    """The HTML without marks, and the lines of the template that its lines are of."""
    pieces: list[str] = []
    lines = [1]
    settled = False  # whether the line goes on with one of the template's
    end = 0
    for match in marks.pattern.finditer(made):
        between = made[end : match.start()]
        end = match.end()
        if "\n" in between:
            lines += [lines[-1]] * between.count("\n")
            settled = False
        mark = marks[int(match[1])]
        piece = marks.restored(mark.piece)
        pieces += (between, piece)
        if not settled:
            # Of several the last: what stands in attributes may be a default of all.
            lines[-1] = mark.line
        for number in range(1, piece.count("\n") + 1):
            lines.append(mark.line + (0 if mark.included else number))
            settled = True
    pieces.append(made[end:])
    lines += [lines[-1]] * made.count("\n", end)
    return "".join(pieces), tuple(lines)
