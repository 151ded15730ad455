"""The list of suppressed addresses for people: of the spool, beside its relay."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from relay.model.suppression import Known, Suppressed
from relay.queue import file
from relay.queue.spool_suppression import listed, moved, number
from relay.queue.suppression import Move

T = TypeVar("T")
U = TypeVar("U")

AT_ONCE = 200  # of one read, and of one transaction

# What became of an entry: it is new; it, or a heavier one, was there; it is older than
# the address' removal by hand.
Became = Literal["added", "known", "removed"]


class SuppressionBook(Protocol):
    """Raises file.UnusableSpool in each use; addresses are as they are compared."""

    def number(self) -> int:
        """How many entries there are."""

    def entries(
        self, *, after: str = "", words: str = "", reason: str = ""
    ) -> Iterator[Suppressed]:
        """The entries behind the address `after`, whose address has `words` in it.

        In an order that stays.
        """

    def add(self, entries: Iterable[Suppressed]) -> Iterator[tuple[Suppressed, Became]]:
        """Enter each that is not older than its address' removal by hand."""

    def remove(self, addresses: Iterable[str]) -> Iterator[tuple[str, bool]]:
        """Remove each, and tell whether there was an entry.

        No fact that is older brings one back, whether there was one or not.
        """


@contextmanager
def open_book(path: Path, *, write: bool) -> Iterator[SpoolSuppressionBook]:
    """Open it beside its relay. Raises file.UnusableSpool, here and in each use."""
    connection = file.opened(path, write=write)
    with closing(connection):
        try:
            yield SpoolSuppressionBook(connection)
        except sqlite3.Error as error:
            raise file.UnusableSpool(file.trouble(path, error)) from error


class SpoolSuppressionBook:
    """A `SuppressionBook` on a connection of its own; made by `open_book`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def number(self) -> int:
        return number(self._connection)

    def entries(
        self, *, after: str = "", words: str = "", reason: str = ""
    ) -> Iterator[Suppressed]:
        while True:
            page = list(
                listed(
                    self._connection,
                    after=after,
                    words=words,
                    reason=reason,
                    limit=AT_ONCE,
                )
            )
            yield from page
            if len(page) < AT_ONCE:
                return
            after = page[-1].address

    def add(self, entries: Iterable[Suppressed]) -> Iterator[tuple[Suppressed, Became]]:
        def enter(entry: Suppressed) -> tuple[Suppressed, Became]:
            move = partial(Known.suppressed, entry=entry)
            return entry, became(entry, *self._moved(entry.address, move))

        yield from self._in_steps(entries, enter)

    def remove(self, addresses: Iterable[str]) -> Iterator[tuple[str, bool]]:
        now = time.time()

        def take_out(address: str) -> tuple[str, bool]:
            before, _ = self._moved(address, partial(Known.removed, at=now))
            return address, before.entry is not None

        yield from self._in_steps(addresses, take_out)

    def _moved(self, address: str, move: Move) -> tuple[Known, Known]:
        return moved(self._connection, address, move, now=time.time())

    def _in_steps(
        self, all_of_them: Iterable[T], change: Callable[[T], U]
    ) -> Iterator[U]:
        rest = iter(all_of_them)
        while some := list(islice(rest, AT_ONCE)):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                done = [change(one) for one in some]
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            yield from done


def became(entry: Suppressed, before: Known, known: Known) -> Became:
    """What became of an entry that was to be entered."""
    if before.past.outdates(entry):
        return "removed"
    return "added" if known.entry != before.entry else "known"
