"""The list of who gets no mail as files and people have it: CSV, JSON, a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from relay.content import address
from relay.content.moment import moment
from relay.model.suppression import REASONS, Reason, Suppressed, compared

HEAD = ("address", "reason", "since", "source", "detail")
# What the first column is called in lists of others.
_ADDRESS = frozenset({"address", "email", "e-mail", "emailaddress", "email address"})
_SINCE = frozenset({"since", "at", "date", "lastupdatetime", "last update time"})
# The longest line that can be an entry.
MAX_LINE = 5000


class Wrong(NamedTuple):
    """A line that is no entry, and why."""

    line: int
    text: str


def read(
    lines: Iterable[str], *, reason: Reason, now: float
) -> Iterator[Suppressed | Wrong]:
    """The entries of a list: CSV with or without a head, or one address a line.

    `reason` is that of lines which name none; one without a time is of `now`.
    """
    columns = {"address": 0, "reason": 1}
    first = True
    for number, text in enumerate(lines, 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        try:
            cells = _cells(line)
            named = _head(cells) if first else None
            first = False
            if named is not None:
                columns = named
                continue
            yield _entry(cells, columns, reason=reason, now=now)
        except ValueError as error:
            yield Wrong(number, str(error))


def _cells(line: str) -> list[str]:
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of more than {MAX_LINE} characters")
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise ValueError(f"no CSV: {error}") from error


def _head(cells: list[str]) -> dict[str, int] | None:
    """Where each column is; None: this is an entry."""
    names = [cell.lower() for cell in cells]
    at = next((n for n, name in enumerate(names) if name in _ADDRESS), None)
    if at is None:
        return None
    found = {name: n for n, name in enumerate(names) if name in ("reason", "detail")}
    found["address"] = at
    since = next((n for n, name in enumerate(names) if name in _SINCE), None)
    if since is not None:
        found["since"] = since
    return found


def _entry(
    cells: list[str], columns: dict[str, int], *, reason: Reason, now: float
) -> Suppressed:
    def cell(name: str) -> str:
        place = columns.get(name, len(cells))
        return cells[place] if place < len(cells) else ""

    why = cell("reason").lower() or reason
    if why not in REASONS:
        raise ValueError(f"reason {why[:40]!r}: must be one of {', '.join(REASONS)}")
    at = now
    if cell("since"):
        try:
            at = min(moment(cell("since")), now)
        except ValueError:
            raise ValueError(
                f"time {cell('since')[:40]!r}: must be one such as 2026-01-31T09:00:00Z"
            ) from None
    detail = "".join(filter(str.isprintable, cell("detail")))[:200]
    found = checked(cell("address"))
    return Suppressed(found, why, at, "import", detail)


def checked(text: str) -> str:
    """The address as it is compared. Raises ValueError."""
    try:
        return compared(address.check(text))
    except ValueError as error:
        raise ValueError(f"{text[:80]!r}: no address: {error}") from error


def as_json(entry: Suppressed) -> dict[str, Any]:
    """The object of one entry."""
    return dict(zip(HEAD, _values(entry), strict=True))


def as_csv(entries: Iterable[Suppressed]) -> Iterator[str]:
    """A head, then a line each."""
    yield ",".join(HEAD)
    for entry in entries:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(_values(entry))
        yield line.getvalue()


def as_table(entries: Iterable[Suppressed]) -> Iterator[str]:
    """A head, then a line each, for people."""
    for number, entry in enumerate(entries):
        if not number:
            yield f"{'SINCE':10}  {'REASON':9}  {'SOURCE':6}  ADDRESS"
        address, reason, since, source, detail = map(_clean, _values(entry))
        more = f"  ({detail})" if detail else ""
        yield f"{since[:10]:10}  {reason:9}  {source:6}  {address}{more}"


def _values(entry: Suppressed) -> tuple[str, str, str, str, str]:
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return entry.address, entry.reason, at, entry.source, entry.detail


def _clean(text: str) -> str:
    """A stranger's words must not steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
