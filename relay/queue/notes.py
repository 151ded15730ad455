"""Notes about mail in the spool: written with the mail, or when SES has taken it."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from functools import partial

from relay import log
from relay.model.note import Key, Limit, Note
from relay.model.submission import MailId
from relay.queue import Unwritable, rows
from relay.queue.memory_notes import MOST, MemoryNotes
from relay.queue.store import Store


class SpoolNotes:
    """`Notes` in the spool of `store`; keys are known for `keep_keys` seconds."""

    def __init__(self, store: Store, *, keep_keys: float) -> None:
        self._store = store
        self._keep_keys = keep_keys
        # What could not be written: known all the same, and written later.
        self._beside = MemoryNotes(now=store.clock.now, keep_keys=keep_keys)
        self._unwritten: deque[tuple[Note, float]] = deque(maxlen=MOST)

    def take(self, *, keep_keys: float) -> None:
        """Go on by another setting."""
        self._keep_keys = keep_keys
        self._beside.take(keep_keys=keep_keys)

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

    async def recall(self, key: Key) -> Note | None:
        beside = self._beside.known(key)
        if beside is not None:
            return beside
        after = self._store.clock.now() - self._keep_keys
        return await self._store.write(partial(_recalled, key=key, after=after))

    async def free(self, key: Key) -> None:
        """Nothing is known of a key before its 250."""

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
        for forget in (
            partial(_forget_passed, now=now, limit=limit),
            partial(_forget_keys, before=now - self._keep_keys, limit=limit),
        ):
            while await self._store.write(forget) == limit:
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
    if note.key is not None:
        connection.execute(
            "INSERT OR REPLACE INTO key VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                note.key.scope,
                note.key.text,
                note.key.fingerprint,
                note.mail_id,
                str(note.reply),
                note.message_id,
                now,
            ),
        )


def _recalled(connection: sqlite3.Connection, key: Key, after: float) -> Note | None:
    row = connection.execute(
        "SELECT fingerprint, mail, reply, message_id FROM key"
        " WHERE scope = ? AND text = ? AND at > ?",
        (key.scope, key.text, after),
    ).fetchone()
    if row is None or (reply := rows.reply(row["reply"])) is None:
        return None
    first = Key(key.scope, key.text, row["fingerprint"])
    return Note(MailId(row["mail"]), reply, row["message_id"], key=first)


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


def _forget_passed(connection: sqlite3.Connection, now: float, limit: int) -> int:
    gone = connection.execute(
        "DELETE FROM passed WHERE (template, address, at, mail) IN (SELECT template,"
        " address, at, mail FROM passed INDEXED BY passed_until WHERE until <= ?"
        " LIMIT ?)",
        (now, limit),
    )
    return gone.rowcount


def _forget_keys(connection: sqlite3.Connection, before: float, limit: int) -> int:
    gone = connection.execute(
        "DELETE FROM key WHERE (scope, text) IN (SELECT scope, text FROM key"
        " INDEXED BY key_at WHERE at <= ? LIMIT ?)",
        (before, limit),
    )
    return gone.rowcount
