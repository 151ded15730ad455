"""What is remembered of mail that was taken, as objects: keys, and counts of limits.

A key is reserved before its mail is attempted, so that no two relays take one mail
that comes to both.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from relay import log
from relay.fleet import keys
from relay.fleet.bucket import Bucket, Found
from relay.fleet.lease import hand
from relay.fleet.record import VERSION
from relay.model.note import Key, Limit, Note
from relay.model.submission import MailId
from relay.queue import Unwritable, rows
from relay.queue.memory_notes import MOST, MemoryNotes

LOOKS_EVERY = 0.3  # seconds, at a key that another relay has in hand
WAITS = 30.0  # seconds for that relay
RESERVED = 90.0  # seconds: longer than any mail is in hand before its reply
TRIES = 6  # to count beside others


class BucketNotes:
    """`Notes` in the bucket; `now` is the queue's clock, `unix` Unix time."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        keep_keys: float,
        now: Callable[[], float],
        unix: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._keep_keys = keep_keys
        self._unix = unix
        # What could not be written: known all the same, and written later.
        self._beside = MemoryNotes(now=now, keep_keys=keep_keys)
        self._unwritten: deque[Note] = deque(maxlen=MOST)
        self._reserved: set[tuple[str, str]] = set()

    def take(self, *, keep_keys: float) -> None:
        """Go on by another setting."""
        self._keep_keys = keep_keys
        self._beside.take(keep_keys=keep_keys)

    async def note(self, note: Note) -> None:
        try:
            await self.write(note)
        except Unwritable as error:
            log.line(
                logging.ERROR,
                "note not written",
                id=note.mail_id,
                detail=f"{error}; kept in memory until it can be",
            )
            self._beside.add(note)
            self._unwritten.append(note)

    async def write_back(self) -> None:
        """Write what could not be written. Raises Unwritable."""
        while self._unwritten:
            await self.write(self._unwritten[0])
            self._unwritten.popleft()

    async def write(self, note: Note) -> None:
        """Remember it. Raises Unwritable."""
        if note.key is not None:
            taken = {
                "v": VERSION,
                "at": self._unix(),
                "id": note.mail_id,
                "reply": str(note.reply),
                "messageId": note.message_id,
                "fingerprint": note.key.fingerprint.hex(),
            }
            await self._bucket.put(_key_of(note.key), json.dumps(taken).encode())
            self._reserved.discard((note.key.scope, note.key.text))
        if note.limit is not None:
            for address in note.limit.addresses:
                await self._count(note.limit, address, note.mail_id)

    # Keys.

    async def recall(self, key: Key) -> Note | None:
        beside = self._beside.known(key)
        if beside is not None:
            return beside
        place = _key_of(key)
        deadline = asyncio.get_running_loop().time() + WAITS
        while True:
            found = await self._bucket.get(place)
            there = {} if found is None else _read(found.body)
            reply = rows.reply(there.get("reply"))
            at = _number(there.get("at"))
            if reply is not None and at > self._unix() - self._keep_keys:
                first = Key(key.scope, key.text, _bytes(there.get("fingerprint")))
                message_id = str(there.get("messageId", ""))
                return Note(MailId(str(there["id"])), reply, message_id, key=first)
            if found is None or reply is not None or found.age > RESERVED:
                if await self._reserve(place, found):
                    self._reserved.add((key.scope, key.text))
                    return None
            elif asyncio.get_running_loop().time() > deadline:
                text = "another relay has mail with this key in hand"
                raise Unwritable(text, TimeoutError(text))
            else:
                await asyncio.sleep(LOOKS_EVERY)

    async def _reserve(self, place: str, before: Found | None) -> bool:
        """Have the key, if nobody was faster."""
        by = hand()
        body = json.dumps({"v": VERSION, "reserved": by, "at": self._unix()}).encode()
        match = "" if before is None else before.etag
        if await self._bucket.put(place, body, match=match) is not None:
            return True
        found = await self._bucket.get(place)
        return found is not None and _read(found.body).get("reserved") == by

    async def free(self, key: Key) -> None:
        """Nothing came of the submission that has the key. Raises nothing."""
        if (key.scope, key.text) not in self._reserved:
            return
        self._reserved.discard((key.scope, key.text))
        try:
            await self._bucket.delete(_key_of(key))
        except Unwritable as error:
            # Whoever comes again waits for the end of the reservation.
            log.line(logging.WARNING, "key not freed", detail=str(error))

    async def forget(self, key: Key) -> None:
        """Forget what was written of it. Raises Unwritable."""
        await self._bucket.delete(_key_of(key))

    # Limits.

    async def passed(self, limit: Limit) -> list[set[MailId]]:
        beside = self._beside.counted(limit)
        try:
            found = [
                {mail_id for _, mail_id in await self._counted(limit, address)}
                for address in limit.addresses
            ]
        except Unwritable as error:
            # A limit protects; a mail that waits for it for ever would protect nobody.
            log.line(logging.ERROR, "limit not known", detail=str(error))
            return beside
        return [here | there for here, there in zip(found, beside, strict=True)]

    async def _counted(self, limit: Limit, address: str) -> list[tuple[float, MailId]]:
        found = await self._bucket.get(_count_key(limit, address))
        counts = [] if found is None else _counts(found.body)
        return self._within(limit, counts)[-limit.number :]

    async def _count(self, limit: Limit, address: str, mail_id: MailId) -> None:
        place = _count_key(limit, address)
        for _ in range(TRIES):
            found = await self._bucket.get(place)
            counts = [] if found is None else _counts(found.body)
            if any(counted == mail_id for _, counted in counts):
                return
            counts = self._within(limit, counts)[-limit.number :]
            mails = [*counts, (self._unix(), mail_id)]
            body = json.dumps({"v": VERSION, "mails": mails}).encode()
            match = "" if found is None else found.etag
            if await self._bucket.put(place, body, match=match) is not None:
                return
        text = "limit: too many relays count at once"
        raise Unwritable(text, RuntimeError(text))

    def _within(
        self, limit: Limit, counts: list[tuple[float, MailId]]
    ) -> list[tuple[float, MailId]]:
        after = self._unix() - limit.seconds
        return [(at, mail_id) for at, mail_id in counts if at > after]


def _key_of(key: Key) -> str:
    return keys.hashed_key("key", key.scope, key.text)


def _count_key(limit: Limit, address: str) -> str:
    return keys.hashed_key("limit", limit.template, address)


def _read(stored: bytes) -> dict[str, Any]:
    try:
        found = json.loads(stored)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _counts(stored: bytes) -> list[tuple[float, MailId]]:
    try:
        return [(float(at), MailId(str(one))) for at, one in _read(stored)["mails"]]
    except (KeyError, TypeError, ValueError):
        return []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _bytes(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        return b""
