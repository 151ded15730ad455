"""The spool: the durable queue in one SQLite file.

`put` returns after fsync, and every move of a job is one UPDATE whose WHERE repeats
the state that it starts from. docs/queue.md tells what a crash at each step leaves.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from relay import log
from relay.model.job import Job, Queued, Replaced, Sending, Superseded
from relay.model.job import claim as begun
from relay.queue import (
    Claim,
    End,
    Figures,
    Unwritable,
    file,
    leaving,
    lock,
    moves,
    rows,
)
from relay.queue.housekeeping import ROWS_AT_ONCE, Housekeeping
from relay.queue.leaving import Unsendable
from relay.queue.store import Store


@asynccontextmanager
async def open_spool(
    path: Path, *, keep_sent: float, keep_failed: float
) -> AsyncIterator[SqliteQueue]:
    """Own the spool, and take back what was being sent when its last owner ended.

    Raises file.UnusableSpool before anything is changed.
    """
    with lock.owned(path):
        connection = await asyncio.to_thread(file.connect, path)
        try:
            try:
                queue = SqliteQueue(
                    connection, path, keep_sent=keep_sent, keep_failed=keep_failed
                )
            except sqlite3.Error as error:
                raise file.UnusableSpool(file.trouble(path, error)) from error
            try:
                await queue.house.take_back()
            except Unwritable as error:
                await queue.close()
                raise file.UnusableSpool(file.trouble(path, error.cause)) from error
            try:
                yield queue
            finally:
                await queue.close()
        finally:
            connection.close()


class SqliteQueue:
    """A `Queue` in one file; made by `open_spool`, and kept in order by `run`."""

    name = "spool"

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        keep_sent: float,
        keep_failed: float,
    ) -> None:
        self._store = Store(connection, path, self._heed)
        self.house = Housekeeping(
            self._store,
            keep_sent=keep_sent,
            keep_failed=keep_failed,
            write_ends=self._write_ends,
            recount=self._recount,
            note_age=self._note_age,
        )
        self._last = self._store.last
        self._placed_in = 0  # the transaction that knows the last place
        self._promoted = 0.0  # up to here mail has the place of its age in the line
        self._next_due: float | None = None
        self._next_end: float | None = None
        self._waiting = self._sending = 0
        self._oldest: float | None = None
        self._ends: deque[tuple[Claim, End, Sequence[Job]]] = deque()
        self._changed: list[Callable[[], None]] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep house until told to stop."""
        await self.house.run(stopping)

    async def close(self) -> None:
        """Write what is still to be written, and bring the log into the file."""
        await self.house.close()

    # What is known without asking the file.

    def now(self) -> float:
        return self._store.clock.now()

    def is_due(self) -> bool:
        return self._next_due is not None and self._next_due <= self.now()

    def due_in(self) -> float | None:
        first = [at for at in (self._next_due, self._next_end) if at is not None]
        return max(min(first) - self.now(), 0.0) if first else None

    def on_change(self, changed: Callable[[], None]) -> None:
        self._changed.append(changed)

    def figures(self) -> Figures:
        return Figures(self._waiting, self._sending, self._oldest)

    def unix(self, at: float) -> float:
        """The Unix time of a moment of the spool's clock."""
        return at + self._store.clock.ahead

    def _heed(self, first: tuple[float | None, float | None]) -> None:
        self._next_due, self._next_end = first
        for changed in self._changed:
            changed()

    # Mail in, out, and back.

    async def put(self, jobs: Sequence[Job]) -> tuple[Sequence[Claim], list[Replaced]]:
        replaced: list[Replaced] = []

        def write(connection: sqlite3.Connection) -> list[int]:
            replaced.clear()
            size = sum(len(job.mail.content) for job in jobs)
            self._store.leave_room(connection, size)
            for job in jobs:
                if job.mail.choice.supersedes:
                    replaced.extend(moves.supersede(connection, job, self.now()))
            return self._insert(connection, jobs)

        places = await self._store.write(write)
        claims = [
            Claim(job, place)
            for job, place in zip(jobs, places, strict=True)
            if isinstance(job.state, Sending)
        ]
        self._sending += len(claims)
        self._waiting += len(jobs) - len(claims) - len(replaced)
        return claims, replaced

    async def claim(
        self, limit: int, *, size: int, hurry: float = 0.0
    ) -> Sequence[Claim]:
        while True:
            claims, left, self._promoted = await self._store.write(
                partial(self._claim, limit=limit, size=size, hurry=hurry)
            )
            self._waiting -= len(claims) + leaving.tell(left)
            self._sending += len(claims)
            if claims or not left:
                return claims

    def _claim(
        self, connection: sqlite3.Connection, *, limit: int, size: int, hurry: float
    ) -> tuple[list[Claim], list[Unsendable], float]:
        now = self.now()
        promoted = self._promote(connection, now)
        hurried = connection.execute(
            "SELECT seq, size FROM job INDEXED BY job_hurry"
            " WHERE state = 'queued' AND due <= ?"
            " AND valid_for IS NOT NULL AND expires_at > ? AND expires_at <= ?"
            " ORDER BY expires_at LIMIT ?",
            (now, now, now + hurry, limit),
        )
        line = connection.execute(
            "SELECT seq, size FROM job INDEXED BY job_due WHERE state = 'queued'"
            " AND due <= ? AND expires_at > ? ORDER BY due, seq LIMIT ?",
            (now, now, limit),
        )
        chosen: dict[int, int] = {}
        for found in [*hurried, *line]:
            if len(chosen) == limit:
                break
            if chosen and sum(chosen.values()) + rows.size(found) > size:
                break
            chosen[found["seq"]] = rows.size(found)
        claims, left = [], []
        for seq in chosen:
            job = leaving.to_send(connection, seq, now)
            if isinstance(job, Unsendable):
                left.append(job)
                continue
            if not isinstance(job.state, Queued):  # never; the type says so too
                raise TypeError(f"job {seq} is {job.state}")
            state = begun(job.state)
            connection.execute(
                "UPDATE job SET state = 'sending', due = NULL, attempts = ?"
                " WHERE seq = ? AND state = 'queued'",
                (state.attempts, seq),
            )
            claims.append(Claim(replace(job, state=state), seq))
        return claims, left, promoted

    def _promote(self, connection: sqlite3.Connection, now: float) -> float:
        """Give mail that became due the place of its age in the line; until when."""
        # Of much that became due, say in a long pause, only the next part at once.
        found = connection.execute(
            "SELECT due FROM job INDEXED BY job_due WHERE state = 'queued'"
            " AND due > ? AND due <= ? ORDER BY due LIMIT 1 OFFSET ?",
            (self._promoted, now, ROWS_AT_ONCE),
        ).fetchone()
        until: float = found["due"] if found else now
        connection.execute(
            "UPDATE job INDEXED BY job_due SET due = accepted_at"
            " WHERE state = 'queued' AND due > ? AND due <= ? AND due > accepted_at",
            (self._promoted, until),
        )
        return until

    async def expired(self, limit: int) -> Sequence[Claim]:
        if self._next_end is None or self._next_end > self.now():
            return []

        while True:
            claims, left = await self._store.write(
                partial(leaving.at_end, now=self.now(), limit=limit)
            )
            self._waiting -= leaving.tell(left)
            if claims or not left:
                break
        kept = {claim.token for claim, _, _ in self._ends}
        return [claim for claim in claims if claim.token not in kept]

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | Superseded:
        try:
            came_to, moved = await self._store.write(
                partial(self._settle, claim=claim, state=state, reports=reports)
            )
        except Unwritable as error:
            log.line(
                logging.ERROR,
                "end not written",
                id=claim.job.id,
                detail=f"{error}; kept in memory until it can be",
            )
            self._ends.append((claim, state, reports))
            return state
        if moved:
            self._count(claim, came_to, reports)
        return came_to

    async def _write_ends(self) -> None:
        """Write the ends that could not be written. Raises Unwritable."""
        while self._ends:
            claim, state, reports = self._ends[0]
            came_to, moved = await self._store.write(
                partial(self._settle, claim=claim, state=state, reports=reports)
            )
            self._ends.popleft()
            if moved:
                self._count(claim, came_to, reports)
            log.line(logging.INFO, "end written", id=claim.job.id)

    async def _recount(self) -> None:
        self._waiting, self._sending, self._oldest = await self._store.write(
            moves.counts
        )

    async def _note_age(self) -> None:
        self._oldest = await self._store.write(moves.oldest)

    def _count(
        self, claim: Claim, came_to: End | Superseded, reports: Sequence[Job]
    ) -> None:
        if isinstance(claim.job.state, Sending):
            self._sending -= 1
        else:
            self._waiting -= 1
        self._waiting += isinstance(came_to, Queued) + len(reports)

    def _settle(
        self,
        connection: sqlite3.Connection,
        *,
        claim: Claim,
        state: End,
        reports: Sequence[Job],
    ) -> tuple[End | Superseded, bool]:
        came_to: End | Superseded = state
        if isinstance(state, Queued) and moves.is_voided(connection, claim):
            came_to = Superseded(state.attempts, self.now(), state.maybe_sent)
        moved = moves.settle(connection, claim, came_to)
        if moved and reports:
            self._insert(connection, reports)
        return came_to, moved

    async def due_now(self) -> None:
        while await self._store.write(self._some_due_now) == ROWS_AT_ONCE:
            pass

    def _some_due_now(self, connection: sqlite3.Connection) -> int:
        changed = connection.execute(
            "UPDATE job SET due = accepted_at WHERE seq IN (SELECT seq FROM job"
            " INDEXED BY job_due WHERE state = 'queued' AND due > ? LIMIT ?)",
            (self.now(), ROWS_AT_ONCE),
        )
        return changed.rowcount

    def _insert(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[int]:
        """Enter jobs; those of one submission share its content."""
        if self._placed_in != self._store.transaction:
            (last,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM job"
            ).fetchone()
            # A place is never used twice while this relay runs: a claim names it.
            self._last = max(last, self._last)
            self._placed_in = self._store.transaction
        seq = self._last
        contents: dict[tuple[str, int], int] = {}
        places = []
        for job in jobs:
            seq += 1
            shared = job.id, id(job.mail.content)
            content = contents.get(shared)
            if content is None:
                content = contents[shared] = seq
                connection.execute(
                    "INSERT INTO content VALUES (?, ?)", (seq, job.mail.content)
                )
            connection.execute(rows.INSERT, rows.columns(job, seq, content))
            places.append(seq)
        self._last = seq
        return places
