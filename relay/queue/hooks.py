"""What endpoints are to be told, in the spool: kept until they were told."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from relay.model.hook import MOST, Hook, Later
from relay.queue.store import Store

_COLUMNS = "id, endpoint, body, at, due, attempts, place"
AT_ONCE = 500  # rows of one transaction, so that no mail waits long


class _Kept(NamedTuple):
    """What a transaction did, by endpoint: how many more there are, and how many went
    for want of room."""

    more: Counter[str]
    gone: dict[str, int]


class SpoolHooks:
    """Keeps the hooks in `store`, at most `most` of one endpoint: the oldest go."""

    lasts = True

    def __init__(self, store: Store, *, most: int = MOST) -> None:
        self._store = store
        self._most = most
        self._waiting: Counter[str] = Counter()

    def now(self) -> float:
        """Seconds of the spool's clock."""
        return self._store.clock.now()

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many there are, by endpoint."""
        return self._waiting

    def serve(self, endpoints: Collection[str], on_come: Callable[[], None]) -> None:
        """Nothing comes from elsewhere."""

    async def open(self) -> None:
        """Look what is there from before. Raises Unwritable."""

        def read(connection: sqlite3.Connection) -> list[tuple[str, int]]:
            return connection.execute(
                "SELECT endpoint, count(*) FROM hook INDEXED BY hook_due"
                " GROUP BY endpoint"
            ).fetchall()

        found = await self._store.write(read)
        self._waiting = Counter(dict(found))

    async def keep(
        self,
        new: Sequence[Hook],
        *,
        ended: Collection[Hook] = (),
        later: Collection[Later] = (),
    ) -> Mapping[str, int]:
        """Keep what is new, forget what ended, put off what failed; all or nothing.

        Gives how many had to go for want of room, by endpoint. Raises Unwritable.
        """
        before = Counter(self._waiting)
        kept = await self._store.write(
            partial(self._keep, new=new, ended=ended, later=later, before=before)
        )
        self._waiting.update(kept.more)
        return kept.gone

    def _keep(
        self,
        connection: sqlite3.Connection,
        new: Sequence[Hook],
        ended: Collection[Hook],
        later: Collection[Later],
        before: Counter[str],
    ) -> _Kept:
        more: Counter[str] = Counter()
        for hook in ended:
            more[hook.endpoint] -= connection.execute(
                "DELETE FROM hook WHERE place = ?", (hook.place,)
            ).rowcount
        connection.executemany(
            "UPDATE hook SET attempts = ?, due = ? WHERE place = ?",
            [(one.attempts, one.due, one.place) for one in later],
        )
        gone: dict[str, int] = {}
        if not new:
            return _Kept(more, gone)
        self._store.leave_room(connection, sum(len(hook.body) for hook in new))
        for hook in new:
            connection.execute(
                "INSERT INTO hook (id, endpoint, body, at, attempts, due)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (hook.id, hook.endpoint, hook.body, hook.at, hook.attempts, hook.due),
            )
            more[hook.endpoint] += 1
        for endpoint in {hook.endpoint for hook in new}:
            too_many = before[endpoint] + more[endpoint] - self._most
            if too_many > 0:
                gone[endpoint] = connection.execute(
                    "DELETE FROM hook WHERE place IN (SELECT place FROM hook"
                    " WHERE endpoint = ? ORDER BY place LIMIT ?)",
                    (endpoint, too_many),
                ).rowcount
                more[endpoint] -= gone[endpoint]
        return _Kept(more, gone)

    async def first(self, endpoint: str, limit: int) -> Sequence[Hook]:
        """Those of an endpoint that come first, due or not. Raises Unwritable."""

        def read(connection: sqlite3.Connection) -> list[Hook]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM hook INDEXED BY hook_due"  # noqa: S608
                " WHERE endpoint = ? ORDER BY due, place LIMIT ?",
                (endpoint, limit),
            )
            return [Hook(*row) for row in rows]

        return await self._store.write(read) if self._waiting[endpoint] else []

    async def expire(self, before: float) -> int:
        """Forget what came before a moment; give how many. Raises Unwritable."""
        return await self._forget("at < ?", before)

    async def leave(self, endpoint: str) -> int:
        """Forget what is of an endpoint; give how many. Raises Unwritable."""
        return await self._forget("endpoint = ?", endpoint)

    async def _forget(self, where: str, value: object) -> int:
        """The same in steps."""

        def step(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM hook WHERE place IN (SELECT place FROM hook"  # noqa: S608
                f" WHERE {where} LIMIT ?)",
                (value, AT_ONCE),
            ).rowcount

        count = 0
        while found := await self._store.write(step):
            count += found
        if count:
            await self.open()
        return count
