"""Notes about mail in the spool: written with the mail, or when SES has taken it."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from functools import partial

from relay import log
from relay.model.note import Limit, Note
from relay.model.submission import MailId
from relay.queue import Unwritable
from relay.queue.memory_notes import MOST, MemoryNotes
from relay.queue.store import Store


class SpoolNotes:
    """`Notes` in the spool of `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # What could not be written: known all the same, and written later.
        self._beside = MemoryNotes(now=store.clock.now)
        self._unwritten: deque[tuple[Note, float]] = deque(maxlen=MOST)

    async def note(self, note: Note) -> None:
        at = self._store.clock.now()
        try:
            await self._store.write(partial(write, note=note, now=at))
        except Unwritable as error:
            log.line(
                logging.ERROR,
                "note not written",
                id=note.mail_id,
                detail=f"{error}; kept in memory until it can be",
            )
            self._beside.add(note)
            self._unwritten.append((note, at))

    async def write_back(self) -> None:
        """Write what could not be written. Raises Unwritable."""
        while self._unwritten:
            note, at = self._unwritten[0]
            await self._store.write(partial(write, note=note, now=at))
            self._unwritten.popleft()

    async def passed(self, limit: Limit) -> list[set[MailId]]:
        beside = self._beside.counted(limit)
        read = partial(_passed, limit=limit, after=self._store.clock.now())
        try:
            found = await self._store.write(read)
        except Unwritable as error:
            # A limit protects; a mail that waits for it for ever would protect nobody.
            log.line(logging.ERROR, "limit not known", detail=str(error))
            return beside
        return [here | there for here, there in zip(found, beside, strict=True)]

    async def forget(self, *, limit: int) -> None:
        """Delete what counts no more, in steps. Raises Unwritable."""
        now = self._store.clock.now()
        while await self._store.write(partial(_forget, now=now, limit=limit)) == limit:
            pass


def write(connection: sqlite3.Connection, note: Note, now: float) -> None:
    """Remember what `note` says."""
    if note.limit is not None:
        until = now + note.limit.seconds
        connection.executemany(
            "INSERT OR IGNORE INTO passed VALUES (?, ?, ?, ?, ?)",
            [
                (note.limit.template, address, now, note.mail_id, until)
                for address in note.limit.addresses
            ],
        )


def _passed(
    connection: sqlite3.Connection, limit: Limit, after: float
) -> list[set[MailId]]:
    return [
        {
            MailId(mail_id)
            for (mail_id,) in connection.execute(
                "SELECT mail FROM passed WHERE template = ? AND address = ? AND at > ?"
                " ORDER BY at DESC LIMIT ?",
                (limit.template, address, after - limit.seconds, limit.number),
            )
        }
        for address in limit.addresses
    ]


def _forget(connection: sqlite3.Connection, now: float, limit: int) -> int:
    gone = connection.execute(
        "DELETE FROM passed WHERE (template, address, at, mail) IN (SELECT template,"
        " address, at, mail FROM passed INDEXED BY passed_until WHERE until <= ?"
        " LIMIT ?)",
        (now, limit),
    )
    return gone.rowcount
