"""What is in the spool, grouped by why: one state, account and cause each.

Only who looks pays: no index is kept for it. A few thousand rows are one read, so that
nobody waits for a person; what all of it costs is in docs/performance.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from relay.model.mail import Priority
from relay.queue.selection import BEGAN, CAUSE

ROWS_A_READ = 2000
AGES = (60, 600, 3600, 21_600, 86_400)  # seconds: where one age ends, the next begins
END = 1e18  # no time is later

# State -> the index that finds it, and what that is in the order of.
_WALKS = {"queued": ("job_age", BEGAN), "failed": ("job_ended", "ended_at")}


@dataclass(frozen=True, slots=True)
class Group:
    """Some jobs with one cause.

    `ages` counts them below each of AGES and above the last, `priorities` by Priority.
    `began` is of the oldest and `due` of the first, on the spool's clock. `said` is one
    of their replies, and `alike` whether it is that of all.
    """

    state: str
    account: str
    cause: str
    count: int
    ages: tuple[int, ...]
    priorities: tuple[int, ...]
    maybe_sent: int
    due_now: int
    began: float
    due: float | None
    said: str | None
    alike: bool

    def __add__(self, other: Group) -> Group:
        dues = [one.due for one in (self, other) if one.due is not None]
        said = [one.said for one in (self, other) if one.said is not None]
        return replace(
            self,
            count=self.count + other.count,
            ages=_sums(self.ages, other.ages),
            priorities=_sums(self.priorities, other.priorities),
            maybe_sent=self.maybe_sent + other.maybe_sent,
            due_now=self.due_now + other.due_now,
            began=min(self.began, other.began),
            due=min(dues, default=None),
            said=min(said, default=None),
            alike=self.alike and other.alike and self.said == other.said,
        )


def groups(connection: sqlite3.Connection, now: float) -> list[Group]:
    """All that waits and all that failed, the largest group first."""
    found: dict[tuple[str, str, str], Group] = {}
    for state in _WALKS:
        for group in _read(connection, state, now):
            key = group.state, group.account, group.cause
            found[key] = found[key] + group if key in found else group
    return sorted(found.values(), key=lambda group: -group.count)


def _read(connection: sqlite3.Connection, state: str, now: float) -> Iterator[Group]:
    index, order = _WALKS[state]
    ages = ", ".join(f"coalesce(sum({BEGAN} > {now - age}), 0)" for age in AGES)
    priorities = ", ".join(f"sum(priority = {int(one)})" for one in Priority)
    where = f"FROM job INDEXED BY {index} WHERE state = '{state}' AND {order} > :after"
    # The index is walked between two bounds; with a third it is walked to its end.
    # What is no number, in a damaged row, is above all numbers.
    after = -END
    while after < END:
        row = connection.execute(
            f"SELECT {order} {where} AND {order} < {END} ORDER BY {order}"
            f" LIMIT 1 OFFSET {ROWS_A_READ}",
            {"after": after},
        ).fetchone()
        until = row[0] if row else END
        for found in connection.execute(
            f"SELECT account, {CAUSE} AS cause, count(*), {ages}, {priorities},"
            f" sum(maybe_sent <> 0), coalesce(sum(due <= :began), 0), min({BEGAN}),"
            f" min(due), min(reply), max(reply) {where}"
            f" AND {order} <= :until GROUP BY account, cause",
            {"began": now, "after": after, "until": until},
        ).fetchall():
            yield _group(state, tuple(found))
        after = until


def _group(state: str, row: tuple[object, ...]) -> Group:
    account, cause, count, *rest = row
    below, rest = rest[: len(AGES)], rest[len(AGES) :]
    priorities, rest = rest[: len(Priority)], rest[len(Priority) :]
    maybe_sent, due_now, began, due, least, most = rest
    # Each counts those of the ages before it, too.
    sums = [0, *map(_whole, below), _whole(count)]
    return Group(
        state,
        str(account),
        str(cause),
        _whole(count),
        tuple(upto - under for under, upto in pairwise(sums)),
        tuple(map(_whole, priorities)),
        _whole(maybe_sent),
        _whole(due_now),
        _moment(began) or 0.0,
        _moment(due),
        least if isinstance(least, str) else None,
        least == most,
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _moment(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def _sums(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
