"""Who gets no mail, in the spool."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast, get_args

from relay.model.suppression import (
    NO_PAST,
    Fact,
    Hashes,
    Known,
    Past,
    Reason,
    Soft,
    Source,
    Suppressed,
    after,
    digest,
)
from relay.queue.store import Store
from relay.queue.suppression import KEPT_PAST, Move

ROWS_AT_ONCE = 2000  # of one read, so that no put waits long


class SpoolSuppressions:
    """`Suppressions` in the spool of `store`."""

    looks_every = 1.0

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = 0

    async def look(self, hashes: Hashes, *, keep_bounces: float) -> None:
        while True:
            some = await self._store.outside(partial(_news, after=self._seen))
            for seq, address, known in some:
                hashes.take(address, known)
                self._seen = seq
            if len(some) < ROWS_AT_ONCE:
                break
        now = self._store.clock.now() + self._store.clock.ahead
        over = partial(_over, now=now, keep_bounces=keep_bounces)
        while gone := await self._store.outside(over):
            await self._store.write(partial(_forget, numbers=[seq for seq, _ in gone]))
            for _, address in gone:
                hashes.gone.discard(digest(address))
                hashes.past.discard(digest(address))

    async def find(self, address: str) -> Known:
        return await self._store.outside(partial(read, address=address))

    async def learn(
        self, facts: Sequence[Fact], *, soft_bounces: int, hashes: Hashes
    ) -> list[Suppressed]:
        now = self._store.clock.now() + self._store.clock.ahead

        def write(
            connection: sqlite3.Connection,
        ) -> tuple[list[tuple[str, Known]], list[Suppressed]]:
            changed: list[tuple[str, Known]] = []
            new: list[Suppressed] = []
            for fact in facts:
                move = partial(after, fact=fact, soft_bounces=soft_bounces)
                before, known = moved(connection, fact.address, move, now=now)
                changed.append((fact.address, known))
                if known.entry is not None and before.entry is None:
                    new.append(known.entry)
            return changed, new

        changed, new = await self._store.write(write)
        for address, known in changed:
            hashes.take(address, known)
        return new


def moved(
    connection: sqlite3.Connection, address: str, move: Move, *, now: float
) -> tuple[Known, Known]:
    """What was known of an address, and what is once `move` has changed it."""
    before = read(connection, address)
    known = move(before)
    if known != before:
        entry, past = known.entry, known.past
        connection.execute(
            "INSERT OR REPLACE INTO suppression (address, reason, at, source, detail,"
            " removed, delivered, soft, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                address,
                *(
                    (entry.reason, entry.at, entry.source, entry.detail)
                    if entry is not None
                    else (None, None, None, None)
                ),
                past.removed,
                past.delivered,
                json.dumps(past.soft),
                now,
            ),
        )
    return before, known


def read(connection: sqlite3.Connection, address: str) -> Known:
    """What is known of an address."""
    row = connection.execute(
        "SELECT * FROM suppression WHERE address = ?", (address,)
    ).fetchone()
    return Known() if row is None else _known(row)


def listed(
    connection: sqlite3.Connection,
    *,
    after: str,
    words: str = "",
    reason: str = "",
    limit: int,
) -> Iterator[Suppressed]:
    """The entries in the order of their addresses, behind `after`."""
    rows = connection.execute(
        "SELECT * FROM suppression WHERE reason IS NOT NULL AND address > :after"
        " AND (:reason = '' OR reason = :reason)"
        " AND instr(address, :words) ORDER BY address LIMIT :limit",
        {"after": after, "reason": reason, "words": words, "limit": limit},
    )
    for row in rows:
        entry = _known(row).entry
        if entry is not None:
            yield entry


def number(connection: sqlite3.Connection) -> int:
    """How many entries there are."""
    (count,) = connection.execute(
        "SELECT count(*) FROM suppression WHERE reason IS NOT NULL"
    ).fetchone()
    return int(count)


def _news(connection: sqlite3.Connection, after: int) -> list[tuple[int, str, Known]]:
    rows = connection.execute(
        "SELECT * FROM suppression WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, ROWS_AT_ONCE),
    )
    return [(row["seq"], row["address"], _known(row)) for row in rows]


def _over(
    connection: sqlite3.Connection, now: float, keep_bounces: float
) -> list[tuple[int, str]]:
    """Some rows that nobody needs any more."""
    rows = connection.execute(
        "SELECT seq, address FROM suppression INDEXED BY suppression_past"
        " WHERE reason IS NULL AND changed < ? LIMIT ?",
        (now - KEPT_PAST, ROWS_AT_ONCE),
    ).fetchall()
    if not rows and keep_bounces:
        rows = connection.execute(
            "SELECT seq, address FROM suppression INDEXED BY suppression_bounce"
            " WHERE reason = 'bounce' AND source = 'event' AND at <= ? LIMIT ?",
            (now - keep_bounces, ROWS_AT_ONCE),
        ).fetchall()
    return [(seq, address) for seq, address in rows]


def _forget(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    # By their numbers: one that has changed since has another.
    connection.executemany(
        "DELETE FROM suppression WHERE seq = ?", [(seq,) for seq in numbers]
    )


def _known(row: sqlite3.Row) -> Known:
    entry = None
    reason, source = row["reason"], row["source"]
    if reason in get_args(Reason) and source in get_args(Source):
        entry = Suppressed(
            row["address"],
            cast("Reason", reason),
            row["at"],
            cast("Source", source),
            row["detail"] or "",
        )
    try:
        soft = tuple(Soft(float(at), str(key)) for at, key in json.loads(row["soft"]))
        past = Past(float(row["removed"]), float(row["delivered"]), soft)
    except (TypeError, ValueError):  # no file of ours: who gets mail is worth more
        past = NO_PAST
    return Known(entry, past)
