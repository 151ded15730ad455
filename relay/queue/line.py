"""The line in which due mail waits: by priority, then by age; who is next.

It has a lane for each account, and who may begin an attempt says in which it looks.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from functools import partial
from typing import NamedTuple

from relay.model.job import Queued, claim
from relay.model.mail import Priority
from relay.queue import Claim, leaving, rows
from relay.queue.leaving import Unsendable
from relay.queue.store import Store
from relay.queue.turns import Turns

# From when on the time of a mail counts, which is its age in the line.
_BEGAN = "coalesce(send_at, accepted_at)"


class Ask(NamedTuple):
    """What who claims may begin: at most `limit` mails of some lanes.

    Their contents have `size` bytes at most, but for the first. In lanes of `unmarked`,
    mail that may have been sent stays where it is.
    """

    limit: int
    size: int
    lanes: Sequence[int]
    unmarked: Collection[int]


class Line:
    """Finds who is next, and remembers whose turns were taken."""

    def __init__(self) -> None:
        # Up to here the mail of each lane has the place of its age.
        self._promoted: defaultdict[int, float] = defaultdict(float)
        # Of each who claims: what one has taken is nothing to the others.
        self._turns: defaultdict[Sequence[int], Turns] = defaultdict(Turns)

    def claimed(
        self, connection: sqlite3.Connection, now: float, ask: Ask, *, at_once: int
    ) -> tuple[list[Claim], list[Unsendable], Sequence[tuple[int, float]]]:
        """Begin attempts on the first in line; and what there cannot be sent.

        `at_once` rows find their place in the line before; what that came to is for
        `promoted`, once it is durable.
        """
        until = [
            (lane, _promoted(connection, lane, self._promoted[lane], now, at_once))
            for lane in ask.lanes
        ]
        return *_claimed(connection, self._turns[ask.lanes], now, ask), until

    def promoted(self, until: Sequence[tuple[int, float]]) -> None:
        """Take in up to where mail has its place now."""
        for lane, at in until:
            self._promoted[lane] = at


def _claimed(
    connection: sqlite3.Connection, turns: Turns, now: float, ask: Ask
) -> tuple[list[Claim], list[Unsendable]]:
    limit, size = ask.limit, ask.size
    lines = _lines(connection, now, ask)
    claims: list[Claim] = []
    left: list[Unsendable] = []
    taken = 0
    while lines and len(claims) < limit:
        priority = turns.take(tuple(lines))
        row = lines[priority].popleft()
        if claims and taken + rows.size(row) > size:
            break
        job = leaving.to_send(connection, row["seq"], now)
        if isinstance(job, Unsendable):
            left.append(job)
        else:
            taken += rows.size(row)
            claims.append(_begun(connection, Claim(job, row["seq"])))
        if not lines[priority]:
            del lines[priority]
    return claims, left


def _lines(
    connection: sqlite3.Connection, now: float, ask: Ask
) -> dict[Priority, deque[sqlite3.Row]]:
    """The first of each priority that has due mail."""
    lines = {}
    for priority in Priority:
        found: list[sqlite3.Row] = []
        for lane in ask.lanes:
            found += connection.execute(
                "SELECT seq, size, due FROM job INDEXED BY job_due"
                " WHERE state = 'queued' AND lane = ? AND priority = ? AND due <= ?"
                " AND expires_at > ? AND maybe_sent <= ? ORDER BY due, seq LIMIT ?",
                (lane, priority, now, now, lane not in ask.unmarked, ask.limit),
            ).fetchall()
        if len(ask.lanes) > 1:
            found.sort(key=lambda row: (row["due"], row["seq"]))
            del found[ask.limit :]
        if found:
            lines[priority] = deque(found)
    return lines


def _begun(connection: sqlite3.Connection, waiting: Claim) -> Claim:
    if not isinstance(waiting.job.state, Queued):  # never; the type says so too
        raise TypeError(f"job {waiting.token} is {waiting.job.state}")
    state = claim(waiting.job.state)
    connection.execute(
        "UPDATE job SET state = 'sending', due = NULL, attempts = ?"
        " WHERE seq = ? AND state = 'queued'",
        (state.attempts, waiting.token),
    )
    return Claim(waiting.job._replace(state=state), waiting.token)


def _promoted(
    connection: sqlite3.Connection, lane: int, since: float, now: float, at_once: int
) -> float:
    """Give mail that became due after `since` the place of its age; until when."""
    until = now
    for priority in Priority:
        # Of much that became due, as in a long pause, only the next part at once.
        found = connection.execute(
            "SELECT due FROM job INDEXED BY job_due WHERE state = 'queued'"
            " AND lane = ? AND priority = ? AND due > ? AND due <= ?"
            " ORDER BY due LIMIT 1 OFFSET ?",
            (lane, priority, since, until, at_once),
        ).fetchone()
        until = found["due"] if found else until
    for priority in Priority:
        connection.execute(
            f"UPDATE job INDEXED BY job_due SET due = {_BEGAN}"  # noqa: S608 - the same
            " WHERE state = 'queued' AND lane = ? AND priority = ? AND due > ?"
            f" AND due <= ? AND due > {_BEGAN}",
            (lane, priority, since, until),
        )
    return until


async def all_due(store: Store, lanes: Sequence[int], *, at_once: int) -> None:
    """Make all waiting mail of these lanes due, `at_once` rows in each transaction.

    Raises Unwritable.
    """
    for lane in lanes:
        for priority in Priority:
            place: tuple[float, int] | None = store.clock.now(), 0
            while place is not None:
                some = partial(
                    _due_now,
                    lane=lane,
                    priority=priority,
                    after=place,
                    now=store.clock.now(),
                    at_once=at_once,
                )
                place = await store.write(some)


def _due_now(
    connection: sqlite3.Connection,
    lane: int,
    priority: Priority,
    after: tuple[float, int],
    now: float,
    *,
    at_once: int,
) -> tuple[float, int] | None:
    """Make waiting mail due that waits behind the place `after`, at most `at_once`.

    Mail that is to be sent later waits on. Gives the place from which to go on; None:
    that was all.
    """
    found = connection.execute(
        "SELECT seq, due, send_at FROM job INDEXED BY job_due"
        " WHERE state = 'queued' AND lane = ? AND priority = ? AND (due, seq) > (?, ?)"
        " ORDER BY due, seq LIMIT ?",
        (lane, priority, *after, at_once),
    ).fetchall()
    connection.executemany(
        f"UPDATE job SET due = {_BEGAN} WHERE seq = ?",  # noqa: S608 - our own term
        [
            (row["seq"],)
            for row in found
            if row["send_at"] is None or row["send_at"] <= now
        ],
    )
    if len(found) < at_once:
        return None
    return found[-1]["due"], found[-1]["seq"]
