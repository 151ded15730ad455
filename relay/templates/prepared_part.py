"""A text part of a template's mail: encoded at load, but for the lines with variables.

Quoted-printable knows nothing of the line before, so whole lines make the same bytes
apart as together, and a mail pays for its own lines only: docs/performance.md,
"4 kB templated".
"""

from __future__ import annotations

from collections.abc import Iterator

from relay.content.transfer_encoding import (
    base64_body,
    quoted_printable,
    readable,
    unsafe_bytes,
)
from relay.templates.placeholder import Filter, Text, Values, Variable


class PreparedPart:
    """Runs of whole lines: fixed ones, and ones to fill."""

    def __init__(self, text: Text, subtype: str) -> None:
        runs = tuple(_runs(text))
        fixed = [b"" if run.places else _data(run.fixed) for run in runs]
        self._size = sum(map(len, fixed))
        self._unsafe = sum(map(unsafe_bytes, fixed))
        head = f"Content-Type: text/{subtype}; charset=utf-8\r\n".encode()
        head += b"Content-Transfer-Encoding: "
        self._base64_head = head + b"base64\r\n\r\n"
        # The part with gaps where lines are to be filled, and its text with the same.
        self._quoted = [head + b"quoted-printable\r\n\r\n"]
        self._quoted += [*map(quoted_printable, fixed), b"\r\n"]
        self._fixed = [b"", *fixed]
        self._gaps = [(gap, run) for gap, run in enumerate(runs, 1) if run.places]

    def fill(
        self, values: Values, as_value: Filter, *, raw: Filter | None = None
    ) -> list[bytes]:
        """The part with its header, in pieces."""
        filled = []
        varying = 0
        for gap, run in self._gaps:
            data = _data(values.fill(run, as_value, raw=raw))
            varying += len(data)
            filled.append((gap, data))
        size = self._size + varying
        # Mostly what is fixed decides, whatever the values hold.
        if readable(self._unsafe + varying, size) or readable(
            self._unsafe + sum(unsafe_bytes(data) for _, data in filled), size
        ):
            pieces = self._quoted.copy()
            for gap, data in filled:
                pieces[gap] = quoted_printable(data)
            return pieces
        pieces = self._fixed.copy()
        for gap, data in filled:
            pieces[gap] = data
        return [self._base64_head, base64_body(b"".join(pieces)), b"\r\n"]


def _runs(text: Text) -> Iterator[Text]:
    """Cut where whole lines without a variable begin and end.

    Only LF is looked for: a CR and what a value begins with may be one line end.
    """
    line: list[str | Variable] = []  # what has no end yet
    for piece in text.pieces:
        if isinstance(piece, Variable):
            line.append(piece)
            continue
        fixed = piece
        if line:
            end = piece.find("\n") + 1
            if piece.rfind("\n") < end:  # no whole line before the next variable
                line.append(piece)
                continue
            yield Text((*line, piece[:end]))
            fixed = piece[end:]
        start = fixed.rfind("\n") + 1
        if start:
            yield Text((fixed[:start],))
        line = [fixed[start:]] if start < len(fixed) else []
    if line:
        yield Text(tuple(line))


def _data(text: str) -> bytes:
    """The text in UTF-8, its lines ending in CRLF."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").replace(b"\n", b"\r\n")
