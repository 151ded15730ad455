"""The moves of a job in the spool's tables, for the relay and the command line.

Each is one statement whose WHERE repeats where the job must stand; one that changes
nothing met a job that moved on meanwhile, which is an answer and no error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    Sending,
    Sent,
    Superseded,
)
from relay.model.job import confirm as confirmed
from relay.model.job import supersede as superseded
from relay.model.mail import Priority, voids
from relay.model.proof import Proof
from relay.model.submission import MailId
from relay.queue import Claim, End, rows
from relay.queue.obstacle import Obstacle

KEEPS_FREE = 64  # pages: what the next mails will need anyway
GIVES_BACK = 512  # pages at once


class First(NamedTuple):
    """When mail is due next, by lane and priority, and when the next is at its end."""

    due: Sequence[Sequence[float | None]]
    end: float | None


def settle(
    connection: sqlite3.Connection, claim: Claim, state: End, *, now: float
) -> tuple[End, bool]:
    """Write where the job of `claim` stands now; False: it moved on meanwhile.

    What would wait, and newer mail came that supersedes it, does not wait any more.
    """
    if isinstance(state, Queued) and is_voided(connection, claim):
        state = superseded(state, now=now)
    return state, _write(connection, claim, state)


def _write(connection: sqlite3.Connection, claim: Claim, state: End) -> bool:
    seq = claim.token
    before = "sending" if isinstance(claim.job.state, Sending) else "queued"
    if isinstance(state, Sent | Superseded):
        # Of each statement the thread comes back to a busy interpreter, hence few.
        connection.execute(
            "DELETE FROM content WHERE id ="
            " (SELECT content FROM job WHERE seq = ? AND state = ?) AND NOT EXISTS"
            " (SELECT 1 FROM job WHERE id = ? AND content = content.id AND seq <> ?)",
            (seq, before, claim.job.id, seq),
        )
    match state:
        case Queued(attempts, due, last, maybe_sent):  # its content is still needed
            moved = connection.execute(
                "UPDATE job SET state = 'queued', attempts = ?, due = ?, reply = ?,"
                " maybe_sent = ? WHERE seq = ? AND state = ?",
                (attempts, due, rows.text(last), maybe_sent, seq, before),
            )
        case Failed(attempts, at, reply, maybe_sent):  # and an operator may send it
            moved = connection.execute(
                "UPDATE job SET state = 'failed', due = NULL, attempts = ?,"
                " ended_at = ?, reply = ?, maybe_sent = ? WHERE seq = ? AND state = ?",
                (attempts, at, str(reply), maybe_sent, seq, before),
            )
        case Sent(attempts, at, message_id):
            moved = connection.execute(
                "UPDATE job SET state = 'sent', due = NULL, attempts = ?, ended_at = ?,"
                " message_id = ?, content = NULL WHERE seq = ? AND state = ?",
                (attempts, at, message_id, seq, before),
            )
        case Superseded(attempts, at, maybe_sent):
            moved = connection.execute(
                "UPDATE job SET state = 'superseded', due = NULL, attempts = ?,"
                " ended_at = ?, maybe_sent = ?, content = NULL"
                " WHERE seq = ? AND state = ?",
                (attempts, at, maybe_sent, seq, before),
            )
    return moved.rowcount > 0


def release(connection: sqlite3.Connection, mail_id: str, content: int | None) -> None:
    """Delete a content that no other call of its submission needs."""
    connection.execute(
        "DELETE FROM content WHERE id = ? AND NOT EXISTS"
        " (SELECT 1 FROM job WHERE job.id = ? AND job.content = content.id)",
        (content, mail_id),
    )


def confirm(
    connection: sqlite3.Connection, proof: Proof, *, now: float
) -> Job | Obstacle | None:
    """End the waiting call that SES took, if its end was not seen, and give it.

    Obstacle.SENDING: an attempt on it is under way. None: no such call waits.
    """
    called = connection.execute(
        "SELECT seq, state, maybe_sent, recipients FROM job INDEXED BY job_id"
        " WHERE id = ?",
        (proof.mail_id,),
    )
    found = [row for row in called if proof.is_of(rows.recipients(row))]
    if len(found) != 1:  # of two to the same people nobody can tell which it was
        return None
    (row,) = found
    if row["state"] == "sending":
        return Obstacle.SENDING
    if row["state"] != "queued" or not row["maybe_sent"]:
        return None
    whole = connection.execute(f"{rows.SELECT} WHERE seq = ?", (row["seq"],))
    try:
        job = rows.job(whole.fetchone())
    except rows.Unreadable:
        return None  # it is set aside when its turn comes
    if not isinstance(job.state, Queued):  # never; the type says so too
        return None
    sent = confirmed(job.state, proof.message_id, now=now)
    settle(connection, Claim(job, row["seq"]), sent, now=now)
    return job._replace(state=sent)


def supersede(connection: sqlite3.Connection, newer: Job, now: float) -> list[Replaced]:
    """End the waiting mail that `newer` takes the place of."""
    older = connection.execute(
        "SELECT seq, id, number, content, usage, recipients, attempts, maybe_sent"
        " FROM job INDEXED BY job_voided WHERE voids = ? AND state = 'queued'",
        (voids(newer.mail),),
    ).fetchall()
    replaced = []
    for row in older:
        connection.execute(
            "UPDATE job SET state = 'superseded', due = NULL, ended_at = ?,"
            " content = NULL WHERE seq = ? AND state = 'queued'",
            (now, row["seq"]),
        )
        release(connection, row["id"], row["content"])
        replaced.append(
            Replaced(
                MailId(row["id"]),
                row["number"],
                row["usage"],
                rows.recipients(row),
                Superseded(row["attempts"], now, bool(row["maybe_sent"])),
            )
        )
    return replaced


def is_voided(connection: sqlite3.Connection, claim: Claim) -> bool:
    """Tell whether newer mail came that supersedes this one."""
    if not claim.job.mail.choice.supersedes:
        return False
    found = connection.execute(
        "SELECT 1 FROM job INDEXED BY job_voids WHERE voids = ? AND seq > ? LIMIT 1",
        (voids(claim.job.mail), claim.token),
    )
    return found.fetchone() is not None


def hasten(connection: sqlite3.Connection, seq: int, now: float) -> None:
    """Make a waiting job due; one that is due already keeps its place in the line."""
    connection.execute(
        "UPDATE job SET due = min(due, ?) WHERE seq = ? AND state = 'queued'",
        (now, seq),
    )


def hasten_many(
    connection: sqlite3.Connection, where: str, values: Mapping[str, object], now: float
) -> list[sqlite3.Row]:
    """The same for all that wait and are meant, but for mail to be sent later."""
    return connection.execute(
        "UPDATE job SET due = min(due, :now) WHERE state = 'queued'"  # noqa: S608 - of our own terms
        f" AND coalesce(send_at, 0) <= :now AND {where} RETURNING seq, id, number",
        {**values, "now": now},
    ).fetchall()


def advance(
    connection: sqlite3.Connection, seq: int, now: float, expires_at: float
) -> None:
    """Have the time begin of a waiting job that was to be sent later."""
    connection.execute(
        "UPDATE job SET due = ?, send_at = ?, expires_at = ?"
        " WHERE seq = ? AND state = 'queued'",
        (now, now, expires_at, seq),
    )


def revive(
    connection: sqlite3.Connection, seq: int, state: Queued, expires_at: float
) -> None:
    """Have a failed job wait again."""
    connection.execute(
        "UPDATE job SET state = 'queued', attempts = ?, due = ?, ended_at = NULL,"
        " expires_at = ? WHERE seq = ? AND state = 'failed'",
        (state.attempts, state.due, expires_at, seq),
    )


def drop(connection: sqlite3.Connection, seq: int) -> None:
    """Delete a job that waits or failed."""
    dropped = connection.execute(
        "DELETE FROM job WHERE seq = ? AND state IN ('queued', 'failed')"
        " RETURNING id, content",
        (seq,),
    ).fetchone()
    if dropped is not None:
        release(connection, dropped["id"], dropped["content"])


def drop_many(
    connection: sqlite3.Connection, where: str, values: Mapping[str, object]
) -> list[sqlite3.Row]:
    """The same for all that are meant; gives seq, id and number of each."""
    dropped = connection.execute(
        "DELETE FROM job WHERE state IN ('queued', 'failed')"  # noqa: S608
        f" AND {where} RETURNING seq, id, number, content",
        values,
    ).fetchall()
    for row in dropped:
        release(connection, row["id"], row["content"])
    return dropped


def forget(
    connection: sqlite3.Connection, *, state: str, before: float, limit: int
) -> int:
    """Delete jobs that ended before; give how many, at most `limit`."""
    old = connection.execute(
        "SELECT seq, id, content FROM job INDEXED BY job_ended"
        " WHERE state = ? AND ended_at <= ? ORDER BY ended_at LIMIT ?",
        (state, before, limit),
    ).fetchall()
    for row in old:
        connection.execute("DELETE FROM job WHERE seq = ?", (row["seq"],))
        if row["content"] is not None:
            release(connection, row["id"], row["content"])
    return len(old)


def first_in_line(connection: sqlite3.Connection, *, lanes: int) -> First:
    """What is first in each of so many lanes, and what ends first."""
    dues = [
        [
            connection.execute(
                "SELECT min(due) FROM job INDEXED BY job_due"
                " WHERE state = 'queued' AND lane = ? AND priority = ?",
                (lane, priority),
            ).fetchone()[0]
            for priority in Priority
        ]
        for lane in range(lanes)
    ]
    (end,) = connection.execute(
        "SELECT min(expires_at) FROM job INDEXED BY job_end WHERE state = 'queued'"
    ).fetchone()
    return First(dues, end)


def counts(connection: sqlite3.Connection, now: float) -> tuple[int, int, float | None]:
    """How many wait and are being sent, and when the oldest of them came."""
    waiting, sending = number(connection, "queued"), number(connection, "sending")
    return waiting, sending, oldest(connection, now)


def number(connection: sqlite3.Connection, state: str) -> int:
    """How many jobs there are of one of these states, by an index."""
    index, where = {
        "queued": ("job_due", "state = 'queued'"),
        "sending": ("job_sending", "state = 'sending'"),
        "failed": ("job_ended", "state = 'failed' AND ended_at IS NOT NULL"),
    }[state]
    (found,) = connection.execute(
        f"SELECT count(*) FROM job INDEXED BY {index} WHERE {where}"  # noqa: S608 - of our own terms
    ).fetchone()
    return int(found)


def oldest(connection: sqlite3.Connection, now: float) -> float | None:
    """When the time of the oldest waiting mail began; None: none has begun."""
    (began,) = connection.execute(
        "SELECT min(coalesce(send_at, accepted_at)) FROM job INDEXED BY job_age"
        " WHERE state = 'queued'"
    ).fetchone()
    return None if began is None or began > now else float(began)


def unused_bytes(connection: sqlite3.Connection) -> int:
    """How much of the file is free for what comes next."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


# These run between transactions.


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection has written."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def give_back(connection: sqlite3.Connection, *, room: float) -> bool:
    """Return some unused space to the file system; tell whether more is left.

    What is moved for that is written to the log first, which has `room` bytes.
    """
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    spare = free - KEEPS_FREE
    if spare <= 0:
        return False
    # With each page that moves, two or three are written that name it.
    pages = min(spare, GIVES_BACK, max(int(room / (4 * size)), 1))
    # Not execute(): it steps once where there are no columns, which is one page.
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")
    return bool(spare > pages)


def shorten(connection: sqlite3.Connection) -> None:
    """Have the file end where its pages end, which is when the log is in it.

    To give back pages at the end is a short entry in the log, and might stay there.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring the write-ahead log into the file, as far as no reader is in the way.

    A stop waits for nobody who reads: the next start goes on from the log.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
