"""The places of the spool: who enters, and in which content calls share."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from relay.model.job import Job, Superseded
from relay.queue import rows
from relay.queue.lanes import Lanes
from relay.queue.store import Store


class Places:
    """Enters jobs into the file of `store`.

    A place is never used twice while this relay runs: a claim names it.
    """

    def __init__(self, store: Store, lanes: Lanes) -> None:
        self._store = store
        self._lanes = lanes
        self._last = store.last
        self._placed_in = 0  # the transaction that knows the last place

    def insert(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[int]:
        """Enter jobs, and give their places; calls share a content."""
        if self._placed_in != self._store.transaction:
            (last,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM job"
            ).fetchone()
            self._last = max(last, self._last)
            self._placed_in = self._store.transaction
        seq = self._last
        contents: dict[tuple[str, int], int] = {}
        places = []
        for job in jobs:
            seq += 1
            content: int | None = None
            if not isinstance(job.state, Superseded):  # nobody needs that content
                shared = job.id, id(job.mail.content)
                content = contents.setdefault(shared, seq)
                if content == seq:
                    connection.execute(
                        "INSERT INTO content VALUES (?, ?)", (seq, job.mail.content)
                    )
            lane = self._lanes.of(job.mail.options.account)
            connection.execute(rows.INSERT, rows.columns(job, seq, content, lane))
            places.append(seq)
        self._last = seq
        return places
