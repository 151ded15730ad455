"""Reading and writing the spool beside a running relay, or a stopped one.

Each page of a list is a read of its own and each change a short transaction, so that
neither the relay's writes nor its log of them ever wait for a person. Contents are
never read here.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, assert_never

from relay.model.job import (
    Failed,
    Job,
    Queued,
    RetryPolicy,
    Sending,
    Sent,
    Superseded,
    revive,
)
from relay.queue import Claim, file, moves, rows
from relay.queue.clock import clock_of

ROWS_A_PAGE = 200  # rows of one read, and of one transaction at most
PAGE_BYTES = 8_000_000  # of the contents that one transaction may delete

# What is no JSON would end the whole list.
_TO = (
    "EXISTS (SELECT 1 FROM json_each(iif(json_valid(job.recipients), job.recipients,"
    " '[]')) WHERE {})"
)
_TO_ADDRESS = _TO.format("lower(value) = :recipient")
_TO_DOMAIN = _TO.format("substr(lower(value), -length(:recipient)) = :recipient")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs are meant; what is not given leaves none out.

    `recipient` is an address or a domain. Ages are seconds since the mail came.
    `later`: mail that is to be sent later is meant, too.
    """

    ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    usage: str | None = None
    recipient: str = ""
    older_than: float | None = None
    newer_than: float | None = None
    later: bool = True
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as lists show it, without its content; `last` is its latest reply.

    `maybe_sent` is true of sent mail too: it may have been sent more than once.
    """

    seq: int
    job: Job
    size: int
    last: str | None
    maybe_sent: bool


class Obstacle(Enum):
    """Why a job cannot be retried or dropped."""

    SENDING = "is being sent; what a crash left so is taken back at the next start"
    SENT = "was sent"
    SUPERSEDED = "was superseded by newer mail"
    VOIDED = "newer mail of its usage to the same recipients supersedes it"
    GONE = "has gone meanwhile"


@dataclass(frozen=True, slots=True)
class Change:
    """A job after `retry` or before `drop`, or what stood in the way."""

    entry: ListedJob
    obstacle: Obstacle | None = None


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

    def entries(self, selection: Selection, *, after: int = 0) -> Iterator[ListedJob]:
        """The jobs that are meant, in the order in which they came.

        `after` is the `seq` of the last one that is known already.
        """
        for page in self._pages(selection, after=after):
            yield from page

    def retry(self, selection: Selection, *, give_up_after: float) -> Iterator[Change]:
        """Make waiting mail due, and have failed mail wait again, its time anew."""
        policy = RetryPolicy(delays={}, give_up_after=give_up_after)
        return self._changes(selection, lambda entry: self._retry(entry, policy))

    def drop(self, selection: Selection) -> Iterator[Change]:
        """Delete waiting and failed mail, for good."""
        return self._changes(selection, self._drop)

    # One job, inside a transaction.

    def _retry(self, entry: ListedJob, policy: RetryPolicy) -> Change:
        now = self.now()
        match entry.job.state:
            case Queued() if entry.job.began > now:
                end = policy.end(now, entry.job.mail.choice.valid_for)
                moves.advance(self._connection, entry.seq, now, end)
            case Queued():
                moves.hasten(self._connection, entry.seq, now)
            case Failed() as state:
                # The time of a code that newer mail voids must not begin anew.
                if moves.is_voided(self._connection, Claim(entry.job, entry.seq)):
                    return Change(entry, Obstacle.VOIDED)
                end = policy.end(now, entry.job.mail.choice.valid_for)
                moves.revive(self._connection, entry.seq, revive(state, now=now), end)
            case other:
                return Change(entry, _obstacle(other))
        return Change(self._entry(entry.seq) or entry)

    def _drop(self, entry: ListedJob) -> Change:
        state = entry.job.state
        if not isinstance(state, Queued | Failed):
            return Change(entry, _obstacle(state))
        moves.drop(self._connection, entry.seq)
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
                entry = self._entry(listed.seq)  # it may have moved on meanwhile
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
        # What comes from now on is not meant: nobody has seen it.
        terms, values = ["seq > :after AND seq <= :upto"], {"upto": self._upto}
        more: dict[str, Any] = {}
        if selection.ids:
            terms.append("id IN (SELECT value FROM json_each(:ids))")
            more["ids"] = json.dumps(selection.ids)
        if selection.states:
            terms.append("state IN (SELECT value FROM json_each(:states))")
            more["states"] = json.dumps(selection.states)
        if selection.usage is not None:
            terms.append("usage = :usage")
            more["usage"] = selection.usage
        if selection.recipient:
            local, _, domain = selection.recipient.lower().rpartition("@")
            terms.append(_TO_ADDRESS if local else _TO_DOMAIN)
            more["recipient"] = f"{local}@{domain}"
        if not selection.later:
            terms.append("(state <> 'queued' OR coalesce(send_at, 0) <= :began)")
            more["began"] = self._began
        if selection.older_than is not None:
            terms.append("accepted_at <= :older")
            more["older"] = self._began - selection.older_than
        if selection.newer_than is not None:
            terms.append("accepted_at >= :newer")
            more["newer"] = self._began - selection.newer_than
        return " AND ".join(terms), {**values, **more}


def _entry(row: sqlite3.Row) -> ListedJob:
    """What can be read of a row: who looks for what is wrong must see it."""
    said = row["reply"] if isinstance(row["reply"], str) else None
    job, size = rows.listed(row), rows.size(row)
    return ListedJob(row["seq"], job, size, said, bool(row["maybe_sent"]))


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "backslashreplace")


def _groups(page: Sequence[ListedJob]) -> Iterator[Sequence[ListedJob]]:
    """Parts of a page that one transaction can take."""
    group: list[ListedJob] = []
    size = 0
    for entry in page:
        if group and size + entry.size > PAGE_BYTES:
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
