"""The spool: the durable queue in one SQLite file.

`put` returns after fsync, and every move of a job is one UPDATE whose WHERE repeats
the state that it starts from. docs/queue.md tells what a crash at each step leaves.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from relay import log
from relay.model.job import Job, Queued, Replaced, Sending
from relay.model.mail import Priority
from relay.model.note import Note
from relay.model.proof import Proof
from relay.model.submission import MailId
from relay.queue import (
    Claim,
    End,
    Figures,
    NotYet,
    Unwritable,
    file,
    leaving,
    line,
    lock,
    moves,
    notes,
)
from relay.queue.hooks import SpoolHooks
from relay.queue.housekeeping import ROWS_AT_ONCE, Housekeeping
from relay.queue.lanes import Lanes
from relay.queue.notes import SpoolNotes
from relay.queue.obstacle import Obstacle
from relay.queue.places import Places
from relay.queue.spool_suppression import SpoolSuppressions
from relay.queue.store import Store

DAY = 86_400.0


@asynccontextmanager
async def open_spool(
    path: Path,
    *,
    keep_sent: float,
    keep_failed: float,
    keep_keys: float = DAY,
    accounts: Sequence[str] = ("",),
) -> AsyncIterator[SqliteQueue]:
    """Own the spool, and take back what was being sent when its last owner ended.

    `accounts` are the names of those whose mail waits apart. Raises
    file.UnusableSpool before anything is changed.
    """
    lanes = Lanes(accounts)
    with lock.owned(path):
        connection = await asyncio.to_thread(file.connect, path)
        try:
            try:
                queue = SqliteQueue(
                    connection,
                    path,
                    keep_sent=keep_sent,
                    keep_failed=keep_failed,
                    lanes=lanes,
                    keep_keys=keep_keys,
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
    unready = "the spool cannot be written"
    keeps_first = False

    def holds(self, claim: Claim) -> bool:
        return True

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        keep_sent: float,
        keep_failed: float,
        lanes: Lanes,
        keep_keys: float = DAY,
    ) -> None:
        self.lanes = lanes
        self._store = Store(connection, path, self._heed, lanes=lanes.__len__)
        self.notes = SpoolNotes(self._store, keep_keys=keep_keys)
        self.hooks = SpoolHooks(self._store)
        self.suppressions = SpoolSuppressions(self._store)
        self.house = Housekeeping(
            self._store,
            keep_sent=keep_sent,
            keep_failed=keep_failed,
            lanes=lanes,
            write_ends=self._write_ends,
            recount=self._recount,
            note_age=self._note_age,
            notes=self.notes,
        )
        self._places = Places(self._store, lanes)
        self._line = line.Line()
        self._waiting = self._sending = 0
        self._oldest: float | None = None
        self._ends: deque[tuple[Claim, End, Sequence[Job]]] = deque()
        self._changed: list[Callable[[], None]] = []

    async def run(self, stopping: asyncio.Event) -> None:
        await self.house.run(stopping)

    def take(
        self,
        *,
        accounts: Sequence[str],
        attempt_timeout: float,
        keep_sent: float,
        keep_failed: float,
        keep_keys: float,
    ) -> None:
        changed = self.lanes.know(accounts)
        self.house.take(
            keep_sent=keep_sent, keep_failed=keep_failed, other_lanes=changed
        )
        self.notes.take(keep_keys=keep_keys)

    async def check(self) -> None:
        await self.house.check()

    async def close(self) -> None:
        """Write what is still to be written, and bring the log into the file."""
        await self.house.close()

    # What is known without asking the file.

    def now(self) -> float:
        return self._store.clock.now()

    def lane(self, account: str) -> int:
        return self.lanes.of(account)

    def on_room(self, room: Callable[[int], int]) -> None:
        """Nothing to ask: all that waits is here already."""

    def on_overtaken(self, told: Callable[[Replaced, MailId], None]) -> None:
        """Mail is superseded in the step that its newer mail is put in."""

    def is_due(
        self, priority: Priority = Priority.LOW, lanes: Sequence[int] | None = None
    ) -> bool:
        return self.lanes.some_due and self.lanes.has_due(self.now, priority, lanes)

    def due_in(self, lanes: Sequence[int] | None = None) -> float | None:
        first = self.lanes.next(lanes)
        return None if first is None else max(first - self.now(), 0.0)

    def on_change(self, changed: Callable[[], None]) -> None:
        self._changed.append(changed)

    def figures(self) -> Figures:
        return Figures(self._waiting, self._sending, self._oldest)

    def unix(self, at: float) -> float:
        return at + self._store.clock.ahead

    def _heed(self, first: moves.First) -> None:
        self.lanes.heed(first)
        for changed in self._changed:
            changed()

    # Mail in, out, and back.

    async def put(
        self, jobs: Sequence[Job], note: Note | None = None
    ) -> tuple[Sequence[Claim], list[Replaced]]:
        replaced: list[Replaced] = []

        def write(connection: sqlite3.Connection) -> list[int]:
            replaced.clear()
            size = sum(len(job.mail.content) for job in jobs)
            self._store.leave_room(connection, size)
            for job in jobs:
                if job.mail.choice.supersedes:
                    replaced.extend(moves.supersede(connection, job, self.now()))
            if note is not None:
                notes.write(connection, note, self.now())
            return self._places.insert(connection, jobs)

        places = await self._store.write(write)
        claims = [
            Claim(job, place)
            for job, place in zip(jobs, places, strict=True)
            if isinstance(job.state, Sending)
        ]
        self._sending += len(claims)
        self._waiting += sum(isinstance(job.state, Queued) for job in jobs)
        self._waiting -= len(replaced)
        return claims, replaced

    async def supersede(self, newer: Sequence[Job]) -> list[Replaced]:
        if not self._waiting:
            return []

        def write(connection: sqlite3.Connection) -> list[Replaced]:
            now = self.now()
            return [
                older
                for job in newer
                for older in moves.supersede(connection, job, now)
            ]

        replaced = await self._store.write(write)
        self._waiting -= len(replaced)
        return replaced

    async def claim(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None = None,
        unmarked: Collection[int] = (),
    ) -> Sequence[Claim]:
        lanes = self.lanes.all if lanes is None else lanes
        ask = line.Ask(limit, size, lanes, unmarked)
        while True:
            claims, left, until = await self._store.write(
                lambda connection: self._line.claimed(
                    connection, self.now(), ask, at_once=ROWS_AT_ONCE
                )
            )
            self._line.promoted(until)
            self._waiting -= len(claims) + leaving.tell(left)
            self._sending += len(claims)
            if claims or not left:
                return claims

    async def expired(self, limit: int) -> Sequence[Claim]:
        end = self.lanes.first.end
        if end is None or end > self.now():
            return []
        while True:
            claims, left = await self._store.write(
                partial(leaving.at_end, now=self.now(), limit=limit)
            )
            self._waiting -= leaving.tell(left)
            if claims or not left:
                break
        kept = [claim.token for claim, _, _ in self._ends]
        return [claim for claim in claims if claim.token not in kept]

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | None:
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
        if not moved:
            return None
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
            partial(moves.counts, now=self.now())
        )

    async def _note_age(self) -> None:
        self._oldest = await self._store.write(partial(moves.oldest, now=self.now()))

    def _count(self, claim: Claim, came_to: End, reports: Sequence[Job]) -> None:
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
    ) -> tuple[End, bool]:
        came_to, moved = moves.settle(connection, claim, state, now=self.now())
        if moved and reports:
            self._places.insert(connection, reports)
        return came_to, moved

    async def confirm(self, proof: Proof) -> Job | None:
        if not self._waiting and not self._sending:
            return None
        move = partial(moves.confirm, proof=proof, now=self.now())
        found = await self._store.write(move)
        if isinstance(found, Obstacle):
            raise NotYet
        self._waiting -= found is not None
        return found

    async def due_now(self, lanes: Sequence[int] | None = None) -> None:
        await self.house.place()
        lanes = self.lanes.all if lanes is None else lanes
        await line.all_due(self._store, lanes, at_once=ROWS_AT_ONCE)
