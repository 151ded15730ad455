"""What keeps the spool in order: at its start, now and then, and when a probe asks."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial

from relay import log
from relay.queue import Unwritable, leaving, moves
from relay.queue.lanes import Lanes
from relay.queue.notes import SpoolNotes
from relay.queue.store import Store

LOOKS_EVERY = 0.5  # seconds: at what the command line changed, at the system's clock
CHECKS_EVERY = 1.0  # seconds: what a probe asks
SWEEPS_EVERY = 5.0  # seconds: what was kept long enough goes
NOTES_TIME_EVERY = 60.0  # seconds: the file remembers that this time has passed
ROWS_AT_ONCE = 500  # rows of one transaction of housekeeping, so that no put waits long


class Housekeeping:
    """Keeps `store` in order; times in seconds.

    `lanes` are those of the settings, `write_ends` writes what could not be written,
    `recount` counts anew what others changed, `note_age` looks how old the oldest
    waiting mail is.
    """

    def __init__(
        self,
        store: Store,
        *,
        keep_sent: float,
        keep_failed: float,
        lanes: Lanes,
        write_ends: Callable[[], Awaitable[None]],
        recount: Callable[[], Awaitable[None]],
        note_age: Callable[[], Awaitable[None]],
        notes: SpoolNotes,
    ) -> None:
        self._store = store
        self._keep_sent, self._keep_failed = keep_sent, keep_failed
        self._lanes = lanes
        self._write_ends = write_ends
        self._recount = recount
        self._note_age = note_age
        self._notes = notes
        self._version: int | None = None
        self._checked = float("-inf")
        self._other_lanes = False
        self._placing = asyncio.Lock()

    async def take_back(self) -> None:
        """Make due what a relay that ended was sending; it may have been sent.

        Raises Unwritable.
        """
        taken = await self._store.write(self._take_back)
        if taken:
            log.line(logging.WARNING, "taken back", mails=taken, maybeSent=True)
        await self.enter_lanes()
        await self._set_aside()
        await self._recount()

    async def place(self) -> None:
        """Bring waiting mail into its lanes, if these are others. Raises Unwritable."""
        async with self._placing:
            if self._other_lanes:
                self._other_lanes = False
                try:
                    await self.enter_lanes()
                except Unwritable:
                    self._other_lanes = True
                    raise

    async def enter_lanes(self) -> None:
        """Bring waiting mail into the lanes of its accounts. Raises Unwritable."""
        enter = partial(self._lanes.enter, at_once=ROWS_AT_ONCE)
        while await self._store.write(enter) == ROWS_AT_ONCE:
            pass

    def take(self, *, keep_sent: float, keep_failed: float, other_lanes: bool) -> None:
        """Go on by other settings; `other_lanes`: what waits is to be placed anew."""
        self._keep_sent = keep_sent
        self._keep_failed = keep_failed
        self._other_lanes = self._other_lanes or other_lanes

    async def _set_aside(self) -> int:
        """Set mail aside that would never be due; give how much."""
        count = 0
        find = partial(
            leaving.without_time, now=self._store.clock.now(), lanes=len(self._lanes)
        )
        while found := await self._store.write(find):
            count += leaving.tell(found)
        return count

    def _take_back(self, connection: sqlite3.Connection) -> int:
        self._store.write_clock(connection)
        changed = connection.execute(
            "UPDATE job INDEXED BY job_sending"
            " SET state = 'queued', due = ?, maybe_sent = 1 WHERE state = 'sending'",
            (self._store.clock.now(),),
        )
        return changed.rowcount

    async def check(self) -> None:
        """Write something, as a mail would be written. Raises Unwritable.

        At most once a second, however often it is asked for.
        """
        now = self._store.clock.now()
        if now - self._checked < CHECKS_EVERY:
            return

        def write(connection: sqlite3.Connection) -> None:
            self._store.leave_room(connection, 0)
            self._store.write_clock(connection)

        await self._store.write(write)
        self._checked = self._store.clock.now()

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep house until told to stop: what others changed, what may be forgotten."""
        swept = noted = self._store.clock.now()
        while not stopping.is_set():
            try:
                async with asyncio.timeout(LOOKS_EVERY):
                    await stopping.wait()
            except TimeoutError:
                pass
            try:
                await self.look()
                now = self._store.clock.now()
                if now - noted >= NOTES_TIME_EVERY:
                    noted = now
                    await self._store.write(self._store.write_clock)
                if now - swept >= SWEEPS_EVERY:
                    swept = now
                    await self._sweep()
            except Unwritable as error:
                log.line(logging.DEBUG, "spool not writable", detail=str(error))

    async def look(self) -> None:
        """See what has changed meanwhile. Raises Unwritable."""
        if step := self._store.clock.follow():
            log.line(logging.WARNING, "clock was set", seconds=round(step, 1))
            await self._store.write(self._store.write_clock)
        await self._write_ends()
        await self._notes.write_back()
        await self.place()
        version = await self._store.outside(moves.data_version)
        if version != self._version:
            self._version = version
            await self._recount()

    async def _sweep(self) -> None:
        """Forget what was kept long enough, and give its space back."""
        if await self._set_aside():
            await self._recount()
        await self._note_age()
        for state, kept in (
            ("sent", self._keep_sent),
            ("superseded", self._keep_sent),
            ("failed", self._keep_failed),
        ):
            before = self._store.clock.now() - kept
            forget = partial(
                moves.forget, state=state, before=before, limit=ROWS_AT_ONCE
            )
            while await self._store.write(forget) == ROWS_AT_ONCE:
                pass
        await self._notes.forget(limit=ROWS_AT_ONCE)
        try:
            # A long log on a full disk has no room to go on, but what is in it has.
            await self._store.outside(moves.shorten)
            more = True
            while more:
                give_back = partial(moves.give_back, room=self._store.free())
                more = await self._store.outside(give_back)
        finally:
            await self._store.outside(moves.shorten)

    async def close(self) -> None:
        """Write what is still to be written, and bring the log into the file."""
        try:
            await self.look()
            await self._store.write(self._store.write_clock)
        except Unwritable as error:
            log.line(logging.ERROR, "spool not closed well", detail=str(error))
        try:
            await self._store.outside(moves.checkpoint)
        except Unwritable:
            pass  # the log stays beside the file, and is read at the next start
        await self._store.close()
