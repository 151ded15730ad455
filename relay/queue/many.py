"""Moving many jobs at once: which ones is settled first, and then it is done in parts.

What was chosen is a list of places, so that mail of which nobody knew is never among
it. Each part is one short transaction that looks again: who moved on is left alone.
"""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from relay.queue import moves, rows
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Condition

AT_ONCE = 200  # rows of one transaction at most
BYTES_AT_ONCE = 8_000_000  # of the contents that one transaction may delete
PLACES_A_READ = 5000
_MOVABLE = "state IN ('queued', 'failed')"

# Tries one waiting or failed job; what stands in the way, or None.
RetryOne = Callable[[sqlite3.Row], Obstacle | None]


class What(Enum):
    """What is done to them."""

    RETRY = "retry"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The places of the jobs that are meant, and what held of each."""

    places: array[int]
    condition: Condition
    sending: int  # that are meant as well, but are being sent


@dataclass(frozen=True, slots=True)
class Part:
    """What became of some of them; `done` are ids and numbers of calls."""

    done: Sequence[tuple[str, int]]
    left: Counter[Obstacle]


def choose(connection: sqlite3.Connection, meant: Condition, upto: int) -> Chosen:
    """Find the waiting and failed jobs that are meant."""
    places: array[int] = array("q")
    after = 0
    while True:
        found = connection.execute(
            f"SELECT seq FROM job WHERE seq > :after AND seq <= :upto AND {_MOVABLE}"  # noqa: S608 - of our own terms
            f" AND {meant.text} ORDER BY seq LIMIT {PLACES_A_READ}",
            {**meant.values, "after": after, "upto": upto},
        ).fetchall()
        places.extend(row["seq"] for row in found)
        if len(found) < PLACES_A_READ:
            break
        after = places[-1]
    (sending,) = connection.execute(
        "SELECT count(*) FROM job INDEXED BY job_sending"  # noqa: S608
        f" WHERE state = 'sending' AND {meant.text}",
        meant.values,
    ).fetchone()
    return Chosen(places, meant, sending)


def change(
    connection: sqlite3.Connection,
    what: What,
    chosen: Chosen,
    *,
    now: Callable[[], float],
    retry_one: RetryOne,
) -> Iterator[Part]:
    """Do it, a part at a time; the relay's own writes have a turn after each."""
    for places in _parts(connection, chosen.places):
        began = time.monotonic()
        part = _part(connection, what, places, chosen.condition, now(), retry_one)
        took = time.monotonic() - began
        yield part
        # SQLite has no line for its lock: for as long again, it is the relay's.
        time.sleep(took)


def _parts(
    connection: sqlite3.Connection, places: Sequence[int]
) -> Iterator[Sequence[int]]:
    """Parts that one transaction can take."""
    for start in range(0, len(places), AT_ONCE):
        some = list(places[start : start + AT_ONCE])
        sizes = dict(
            connection.execute(
                "SELECT seq, size FROM job WHERE seq IN"
                " (SELECT value FROM json_each(?))",
                (json.dumps(some),),
            ).fetchall()
        )
        part: list[int] = []
        held = 0
        for place in some:
            size = sizes.get(place, 0)
            size = size if isinstance(size, int) else 0
            if part and held + size > BYTES_AT_ONCE:
                yield part
                part, held = [], 0
            part.append(place)
            held += size
        yield part


def _part(
    connection: sqlite3.Connection,
    what: What,
    places: Sequence[int],
    meant: Condition,
    now: float,
    retry_one: RetryOne,
) -> Part:
    where = f"seq IN (SELECT value FROM json_each(:places)) AND {meant.text}"  # noqa: S608 - of our own terms
    values = {**meant.values, "places": json.dumps(places)}
    left: Counter[Obstacle] = Counter()
    connection.execute("BEGIN IMMEDIATE")
    try:
        if what is What.DROP:
            moved = moves.drop_many(connection, where, values)
            done = list(map(_call, moved))
        else:
            moved = moves.hasten_many(connection, where, values, now)
            done = list(map(_call, moved))
            for row in _others(connection, where, values, moved):
                moved.append(row)
                if (obstacle := retry_one(row)) is None:
                    done.append(_call(row))
                else:
                    left[obstacle] += 1
        rest = set(places) - {row["seq"] for row in moved}
        left.update(_why(connection, rest))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return Part(done, left)


def _others(
    connection: sqlite3.Connection,
    where: str,
    values: dict[str, object],
    moved: Sequence[sqlite3.Row],
) -> list[sqlite3.Row]:
    """Those of a part that are tried one by one."""
    known = {row["seq"] for row in moved}
    found = connection.execute(
        f"{rows.LISTED} WHERE {_MOVABLE} AND {where}", values
    ).fetchall()
    return [row for row in found if row["seq"] not in known]


def _call(row: sqlite3.Row) -> tuple[str, int]:
    """Id and number; of a damaged row what can be shown."""
    number = row["number"]
    return str(row["id"]), number if isinstance(number, int) else 0


def _why(connection: sqlite3.Connection, places: set[int]) -> Counter[Obstacle]:
    """Why these could not be moved."""
    if not places:
        return Counter()
    found = connection.execute(
        "SELECT state FROM job WHERE seq IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(places)),),
    ).fetchall()
    why = Counter(_OF.get(row["state"], Obstacle.CHANGED) for row in found)
    if gone := len(places) - len(found):
        why[Obstacle.GONE] = gone
    return why


_OF = {
    "sending": Obstacle.SENDING,
    "sent": Obstacle.SENT,
    "superseded": Obstacle.SUPERSEDED,
}
