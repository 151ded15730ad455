"""Reading and writing the spool beside a running relay, or a stopped one.

Each page of a list is a read of its own and each change a short transaction, so that
neither the relay's writes nor its log of them ever wait for a person. Contents are
never read here.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

from relay.model.job import (
    Failed,
    Queued,
    RetryPolicy,
    Sending,
    Sent,
    Superseded,
    revive,
)
from relay.queue import Claim, file, moves, rows
from relay.queue.clock import clock_of
from relay.queue.groups import Group, groups
from relay.queue.listing import Change, ListedJob
from relay.queue.many import BYTES_AT_ONCE, Chosen, Part, What, change, choose
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Condition, Selection, condition

ROWS_A_PAGE = 200  # rows of one read, and of one transaction at most


@contextmanager
def open_ledger(path: Path, *, write: bool) -> Iterator[Ledger]:
    """Open the spool beside its owner.

    Raises file.UnusableSpool, here and in each use.
    """
    connection = file.opened(path, write=write)
    with closing(connection), _told(path):
        yield Ledger(connection)


class Ledger:
    """The jobs of a spool; made by `open_ledger`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # What is no UTF-8 is shown as it can be.
        connection.text_factory = _text
        (self._upto,) = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM job"
        ).fetchone()
        # A running relay notes each step of the system's clock at once.
        self._clock = clock_of(connection)
        self._began = self._clock.now()

    def now(self) -> float:
        """Seconds of the spool's clock."""
        return self._clock.now()

    def unix(self, at: float) -> float:
        """The Unix time of a moment of that clock."""
        return at + self._clock.ahead

    def count(self, selection: Selection) -> tuple[int, int]:
        """How many jobs are meant, and of how many mails."""
        where, values = self._where(selection)
        limit = -1 if selection.limit is None else selection.limit
        meant = f"SELECT id FROM job WHERE {where} ORDER BY seq LIMIT :limit"  # noqa: S608 - of our own terms
        jobs, mails = self._connection.execute(
            f"SELECT count(*), count(DISTINCT id) FROM ({meant})",  # noqa: S608
            {**values, "after": 0, "limit": limit},
        ).fetchone()
        return jobs, mails

    def number(self, state: str) -> int:
        """How many jobs there are of "queued", "sending" or "failed"; quickly."""
        return moves.number(self._connection, state)

    def groups(self) -> list[Group]:
        """What waits and what failed, by why."""
        return groups(self._connection, self.now())

    def entries(self, selection: Selection, *, after: str = "") -> Iterator[ListedJob]:
        """The jobs that are meant, in the order in which they came.

        `after` is the `place` of the last one that is known already; nothing comes
        after what is none.
        """
        if not (after.isascii() and (after or "0").isdecimal() and len(after) < 19):
            return
        for page in self._pages(selection, after=int(after or 0)):
            yield from page

    def retry(self, selection: Selection, *, give_up_after: float) -> Iterator[Change]:
        """Make waiting mail due, and have failed mail wait again, its time anew."""
        policy = RetryPolicy(delays={}, give_up_after=give_up_after)
        return self._changes(selection, lambda entry: self._retry(entry, policy))

    def drop(self, selection: Selection) -> Iterator[Change]:
        """Delete waiting and failed mail, for good."""
        return self._changes(selection, self._drop)

    def choose(self, selection: Selection) -> Chosen:
        """Settle which waiting and failed jobs are meant, before they are moved."""
        if "queued" in selection.states:
            # What is being sent waited a moment ago: it is left alone, but counted.
            selection = replace(selection, states=(*selection.states, "sending"))
        return choose(self._connection, self._condition(selection), self._upto)

    def change(
        self,
        what: What,
        chosen: Chosen,
        *,
        give_up_after: float,
    ) -> Iterator[Part]:
        """Retry or drop what was chosen and did not move on meanwhile."""
        policy = RetryPolicy(delays={}, give_up_after=give_up_after)
        return change(
            self._connection,
            what,
            chosen,
            now=self.now,
            retry_one=lambda row: self._retry(_entry(row), policy).obstacle,
        )

    # One job, inside a transaction.

    def _retry(self, entry: ListedJob, policy: RetryPolicy) -> Change:
        now, seq = self.now(), int(entry.place)
        match entry.job.state:
            case Queued() if entry.job.began > now:
                end = policy.end(now, entry.job.mail.choice.valid_for)
                moves.advance(self._connection, seq, now, end)
            case Queued():
                moves.hasten(self._connection, seq, now)
            case Failed() as state:
                # The time of a code that newer mail voids must not begin anew.
                if moves.is_voided(self._connection, Claim(entry.job, seq)):
                    return Change(entry, Obstacle.VOIDED)
                end = policy.end(now, entry.job.mail.choice.valid_for)
                moves.revive(self._connection, seq, revive(state, now=now), end)
            case other:
                return Change(entry, _obstacle(other))
        return Change(self._entry(seq) or entry)

    def _drop(self, entry: ListedJob) -> Change:
        state = entry.job.state
        if not isinstance(state, Queued | Failed):
            return Change(entry, _obstacle(state))
        moves.drop(self._connection, int(entry.place))
        return Change(entry)

    def _entry(self, seq: int) -> ListedJob | None:
        row = self._connection.execute(f"{rows.LISTED} WHERE seq = ?", (seq,))
        found = row.fetchone()
        return None if found is None else _entry(found)

    # Many of them.

    def _changes(
        self, selection: Selection, change: Callable[[ListedJob], Change]
    ) -> Iterator[Change]:
        for page in self._pages(selection):
            for group in _groups(page):
                began = time.monotonic()
                changes = self._written(group, change)
                took = time.monotonic() - began
                yield from changes
                # SQLite has no line for its lock: for as long again, it is the relay's.
                time.sleep(took)

    def _written(
        self, group: Sequence[ListedJob], change: Callable[[ListedJob], Change]
    ) -> list[Change]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            changes = []
            for listed in group:
                entry = self._entry(int(listed.place))  # it may have moved on meanwhile
                if entry is None:
                    changes.append(Change(listed, Obstacle.GONE))
                else:
                    changes.append(change(entry))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return changes

    def _pages(
        self, selection: Selection, *, after: int = 0
    ) -> Iterator[list[ListedJob]]:
        """The jobs that were there at the beginning, a page at a time."""
        where, values = self._where(selection)
        left = sys.maxsize if selection.limit is None else selection.limit
        while left > 0:
            found = self._connection.execute(
                f"{rows.LISTED} WHERE {where} ORDER BY seq LIMIT :limit",
                {**values, "after": after, "limit": min(left, ROWS_A_PAGE)},
            ).fetchall()
            if not found:
                return
            yield [_entry(row) for row in found]
            left -= len(found)
            after = found[-1]["seq"]

    def _where(self, selection: Selection) -> tuple[str, dict[str, Any]]:
        """The condition, with values for all that it names but `after`."""
        meant = self._condition(selection)
        # What comes from now on is not meant: nobody has seen it.
        where = f"seq > :after AND seq <= :upto AND {meant.text}"
        return where, {**meant.values, "upto": self._upto}

    def _condition(self, selection: Selection) -> Condition:
        ahead = self._clock.ahead
        return condition(selection, began=self._began, spool=lambda at: at - ahead)


def _entry(row: sqlite3.Row) -> ListedJob:
    """What can be read of a row: who looks for what is wrong must see it."""
    said = row["reply"] if isinstance(row["reply"], str) else None
    job, size = rows.listed(row), rows.size(row)
    return ListedJob(str(row["seq"]), job, size, said, bool(row["maybe_sent"]))


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "backslashreplace")


def _groups(page: Sequence[ListedJob]) -> Iterator[Sequence[ListedJob]]:
    """Parts of a page that one transaction can take."""
    group: list[ListedJob] = []
    size = 0
    for entry in page:
        if group and size + entry.size > BYTES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(entry)
        size += entry.size
    if group:
        yield group


def _obstacle(state: Sending | Sent | Superseded) -> Obstacle:
    match state:
        case Sending():
            return Obstacle.SENDING
        case Sent():
            return Obstacle.SENT
        case Superseded():
            return Obstacle.SUPERSEDED
        case _:
            assert_never(state)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise file.UnusableSpool(file.trouble(path, error)) from error
