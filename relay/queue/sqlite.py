"""The spool: the durable queue in one SQLite file.

`put` returns after fsync, and every move of a job is one UPDATE whose WHERE repeats
the state that it starts from. docs/queue.md tells what a crash at each step leaves.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from relay import log
from relay.model.job import Job, Queued, Replaced, Sending, Superseded
from relay.model.job import claim as begun
from relay.queue import Claim, End, Figures, Unwritable, file, moves, rows
from relay.queue.clock import Clock
from relay.queue.shared_commit import Operation, T, Writer

LOOKS_EVERY = 0.5  # seconds: at what the command line changed, at the system's clock
CHECKS_EVERY = 1.0  # seconds: what a probe asks
SWEEPS_EVERY = 5.0  # seconds: what was kept long enough goes
NOTES_TIME_EVERY = 60.0  # seconds: the file remembers that this time has passed
AT_ONCE = 500  # rows of one transaction of housekeeping, so that no put waits long
EXPIRED_AT_ONCE = 10_000_000  # bytes of content, which the reports need the header of
# Free space that mail may not take: what is accepted must still be able to end.
RESERVE = 4_000_000
PLENTY = 1_000_000_000  # with so much free, nobody need look closer
PLENTY_LASTS = 0.1  # seconds in which nobody writes so much
RESERVE_PART = 0.05  # of a small file system


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is first in line after a transaction."""

    due: float | None
    end: float | None


@asynccontextmanager
async def open_spool(
    path: Path, *, keep_sent: float, keep_failed: float
) -> AsyncIterator[SqliteQueue]:
    """Own the spool, and take back what was being sent when its last owner ended.

    Raises file.Unusable before anything is changed.
    """
    with file.owned(path):
        connection = await asyncio.to_thread(file.connect, path)
        try:
            try:
                queue = SqliteQueue(
                    connection, path, keep_sent=keep_sent, keep_failed=keep_failed
                )
            except sqlite3.Error as error:
                raise file.Unusable(file.trouble(path, error)) from error
            try:
                await queue.take_back()
            except sqlite3.Error as error:
                await queue.close()
                raise file.Unusable(file.trouble(path, error)) from error
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
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._keep_sent, self._keep_failed = keep_sent, keep_failed
        (self._last,) = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM job"
        ).fetchone()
        (newest,) = connection.execute(
            "SELECT coalesce(max(accepted_at), 0) FROM job WHERE seq = ?", (self._last,)
        ).fetchone()
        ahead, seen = connection.execute("SELECT ahead, seen FROM clock").fetchone()
        self._clock = Clock(ahead=ahead, seen=max(seen, newest))
        self._promoted = 0.0  # up to here mail has the place of its age in the line
        self._writer = Writer(connection, look=_first_in_line, tell=self._heed)
        self._placed_in = 0  # the transaction that knows the last place
        self._plenty_until, self._plenty = float("-inf"), 0.0
        self._version: int | None = None
        self._checked = float("-inf")
        self._next_due: float | None = None
        self._next_end: float | None = None
        self._waiting = self._sending = 0
        self._oldest: float | None = None
        self._ends: deque[tuple[Claim, End, Sequence[Job]]] = deque()
        self._changed: list[Callable[[], None]] = []

    # What is known without asking the file.

    def now(self) -> float:
        return self._clock.now()

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
        return at + self._clock.ahead

    def _heed(self, seen: _Seen) -> None:
        self._next_due, self._next_end = seen.due, seen.end
        for changed in self._changed:
            changed()

    # Mail in, out, and back.

    async def put(self, jobs: Sequence[Job]) -> tuple[Sequence[Claim], list[Replaced]]:
        replaced: list[Replaced] = []

        def write(connection: sqlite3.Connection) -> list[int]:
            replaced.clear()
            self._leave_room(connection, sum(len(job.mail.content) for job in jobs))
            for job in jobs:
                if job.mail.choice.supersedes:
                    replaced.extend(moves.supersede(connection, job, self.now()))
            return self._insert(connection, jobs)

        places = await self._write(write)
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
        claims, self._promoted = await self._write(
            partial(self._claim, limit=limit, size=size, hurry=hurry)
        )
        self._waiting -= len(claims)
        self._sending += len(claims)
        return claims

    def _claim(
        self, connection: sqlite3.Connection, *, limit: int, size: int, hurry: float
    ) -> tuple[list[Claim], float]:
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
        for one in [*hurried, *line]:
            if len(chosen) == limit:
                break
            if chosen and sum(chosen.values()) + one["size"] > size:
                break
            chosen[one["seq"]] = one["size"]
        claims = []
        for seq in chosen:
            job = rows.job(_row(connection, seq))
            if not isinstance(job.state, Queued):  # never; the type says so too
                raise TypeError(f"job {seq} is {job.state}")
            state = begun(job.state)
            connection.execute(
                "UPDATE job SET state = 'sending', due = NULL, attempts = ?"
                " WHERE seq = ? AND state = 'queued'",
                (state.attempts, seq),
            )
            claims.append(Claim(replace(job, state=state), seq))
        return claims, promoted

    def _promote(self, connection: sqlite3.Connection, now: float) -> float:
        """Give mail that became due the place of its age in the line; until when."""
        # Of much that became due, say in a long pause, only the next part at once.
        found = connection.execute(
            "SELECT due FROM job INDEXED BY job_due WHERE state = 'queued'"
            " AND due > ? AND due <= ? ORDER BY due LIMIT 1 OFFSET ?",
            (self._promoted, now, AT_ONCE),
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

        def read(connection: sqlite3.Connection) -> list[Claim]:
            over = connection.execute(
                "SELECT seq FROM job INDEXED BY job_end WHERE state = 'queued'"
                " AND expires_at <= ? ORDER BY expires_at LIMIT ?",
                (self.now(), limit),
            ).fetchall()
            claims: list[Claim] = []
            size = 0
            for one in over:
                row = _row(connection, one["seq"])
                size += row["size"]
                if claims and size > EXPIRED_AT_ONCE:
                    break
                claims.append(Claim(rows.job(row), one["seq"]))
            return claims

        claims = await self._write(read)
        kept = {claim.token for claim, _, _ in self._ends}
        return [claim for claim in claims if claim.token not in kept]

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | Superseded:
        try:
            came_to, moved = await self._write(
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
        while await self._write(self._some_due_now) == AT_ONCE:
            pass

    def _some_due_now(self, connection: sqlite3.Connection) -> int:
        changed = connection.execute(
            "UPDATE job SET due = accepted_at WHERE seq IN (SELECT seq FROM job"
            " INDEXED BY job_due WHERE state = 'queued' AND due > ? LIMIT ?)",
            (self.now(), AT_ONCE),
        )
        return changed.rowcount

    async def _write(self, operation: Operation[T]) -> T:
        try:
            return await self._writer.do(operation)
        except (sqlite3.Error, OSError) as error:
            raise Unwritable(f"{self._path}: {error}") from error

    async def _outside(self, operation: Operation[T]) -> T:
        try:
            return await self._writer.outside(operation)
        except sqlite3.Error as error:
            raise Unwritable(f"{self._path}: {error}") from error

    def _leave_room(self, connection: sqlite3.Connection, size: int) -> None:
        needs = 3 * size
        now = time.monotonic()
        if now < self._plenty_until and needs < self._plenty:
            self._plenty -= needs
            return
        found = os.statvfs(self._path.parent)
        free = found.f_bavail * found.f_frsize
        if free > PLENTY + needs:
            self._plenty_until = now + PLENTY_LASTS
            self._plenty = free - PLENTY - needs
            return
        reserve = min(RESERVE, int(found.f_blocks * found.f_frsize * RESERVE_PART))
        try:
            log_size = self._wal.stat().st_size
        except FileNotFoundError:
            log_size = 0
        # A body is written twice: to the log, then to its place, which may be one that
        # is unused. All that still is in the log comes to its place, too: a log that
        # cannot be brought into the file would only grow, and nothing could end.
        grows = max(size + log_size - moves.unused_bytes(connection), 0)
        if free < size + grows + reserve:
            raise OSError(f"{free} bytes are free, too few for a mail of {size}")

    def _insert(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[int]:
        """Enter jobs; those of one submission share its content."""
        if self._placed_in != self._writer.transaction:
            (last,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM job"
            ).fetchone()
            # A place is never used twice while this relay runs: a claim names it.
            self._last = max(last, self._last)
            self._placed_in = self._writer.transaction
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

    # Keeping house.

    async def take_back(self) -> None:
        """Make due what a relay that ended was sending; it may have been sent."""
        taken = await self._writer.do(self._take_back)
        if taken:
            log.line(logging.WARNING, "taken back", mails=taken, maybeSent=True)
        self._waiting, self._sending, self._oldest = await self._writer.do(moves.counts)

    def _take_back(self, connection: sqlite3.Connection) -> int:
        self._write_clock(connection)
        changed = connection.execute(
            "UPDATE job INDEXED BY job_sending"
            " SET state = 'queued', due = ?, maybe_sent = 1 WHERE state = 'sending'",
            (self.now(),),
        )
        return changed.rowcount

    async def check(self) -> None:
        """Write something, as a mail would be written. Raises Unwritable.

        At most once a second, however often it is asked for.
        """
        if self.now() - self._checked < CHECKS_EVERY:
            return

        def write(connection: sqlite3.Connection) -> None:
            self._leave_room(connection, 0)
            self._write_clock(connection)

        await self._write(write)
        self._checked = self.now()

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep house until told to stop: what others changed, what may be forgotten."""
        swept = noted = self.now()
        while not stopping.is_set():
            try:
                async with asyncio.timeout(LOOKS_EVERY):
                    await stopping.wait()
            except TimeoutError:
                pass
            try:
                await self._look()
                now = self.now()
                if now - noted >= NOTES_TIME_EVERY:
                    noted = now
                    await self._write(self._write_clock)
                if now - swept >= SWEEPS_EVERY:
                    swept = now
                    await self._sweep()
            except Unwritable as error:
                log.line(logging.DEBUG, "spool not writable", detail=str(error))

    async def _look(self) -> None:
        if step := self._clock.follow():
            log.line(logging.WARNING, "clock was set", seconds=round(step, 1))
            await self._write(self._write_clock)
        while self._ends:
            claim, state, reports = self._ends[0]
            came_to, moved = await self._write(
                partial(self._settle, claim=claim, state=state, reports=reports)
            )
            self._ends.popleft()
            if moved:
                self._count(claim, came_to, reports)
            log.line(logging.INFO, "end written", id=claim.job.id)
        version = await self._outside(moves.data_version)
        if version != self._version:
            self._version = version
            await self._recount()

    async def _recount(self) -> None:
        self._waiting, self._sending, self._oldest = await self._write(moves.counts)

    async def _sweep(self) -> None:
        """Forget what was kept long enough, and give its space back."""
        self._oldest = await self._write(moves.oldest)
        for state, kept in (
            ("sent", self._keep_sent),
            ("superseded", self._keep_sent),
            ("failed", self._keep_failed),
        ):
            before = self.now() - kept
            while (
                await self._write(
                    partial(moves.forget, state=state, before=before, limit=AT_ONCE)
                )
                == AT_ONCE
            ):
                pass
        while await self._outside(moves.give_back):
            pass
        await self._outside(moves.shorten)

    def _write_clock(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE clock SET ahead = ?, seen = ?", (self._clock.ahead, self.now())
        )

    async def close(self) -> None:
        """Write what is still to be written, and bring the log into the file."""
        try:
            await self._look()
            await self._write(self._write_clock)
        except Unwritable as error:
            log.line(logging.ERROR, "spool not closed well", detail=str(error))
        try:
            await self._outside(moves.checkpoint)
        except Unwritable:
            pass  # the log stays beside the file, and is read at the next start
        await self._writer.close()


def _first_in_line(connection: sqlite3.Connection) -> _Seen:
    return _Seen(*moves.first_in_line(connection))


def _row(connection: sqlite3.Connection, seq: int) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(
        f"{rows.SELECT} WHERE seq = ?", (seq,)
    ).fetchone()
    return row
