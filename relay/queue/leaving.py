"""Waiting mail as it leaves the spool, and what becomes of mail that cannot be sent.

A row that this release cannot read is set aside as failed: another release, or an
operator, may know more. One whose content is not whole is at its end at once, so that
it fails like other mail, with a report to its sender. Neither holds up the rest.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from relay import log
from relay.model.job import Job
from relay.model.mail import Priority
from relay.model.replies import NO_CONTENT, unreadable
from relay.model.reply import Reply
from relay.queue import Claim, rows

ENDED_AT_ONCE = 10_000_000  # bytes of content, which the reports need the header of


class Unsendable(NamedTuple):
    """A job that is not sent; `failed` tells whether it has ended."""

    id: str
    why: Reply
    failed: bool


def to_send(connection: sqlite3.Connection, seq: int, now: float) -> Job | Unsendable:
    """A waiting job to be sent, with its whole content."""
    found = _read(connection, seq, now)
    if isinstance(found, Unsendable):
        return found
    job, whole = found
    if whole:
        return job
    connection.execute(
        "UPDATE job SET due = ?, expires_at = ?, reply = ?"
        " WHERE seq = ? AND state = 'queued'",
        (now, now, str(NO_CONTENT), seq),
    )
    return Unsendable(job.id, NO_CONTENT, failed=False)


def at_end(
    connection: sqlite3.Connection, now: float, *, limit: int
) -> tuple[list[Claim], list[Unsendable]]:
    """Waiting jobs whose end has come, for reports; a content may be missing."""
    over = connection.execute(
        "SELECT seq FROM job INDEXED BY job_end WHERE state = 'queued'"
        " AND expires_at <= ? ORDER BY expires_at LIMIT ?",
        (now, limit),
    ).fetchall()
    claims: list[Claim] = []
    left: list[Unsendable] = []
    size = 0
    for (seq,) in over:
        found = _read(connection, seq, now)
        if isinstance(found, Unsendable):
            left.append(found)
            continue
        job, _ = found
        size += len(job.mail.content)
        if claims and size > ENDED_AT_ONCE:
            break
        claims.append(Claim(job, seq))
    return claims, left


def _read(
    connection: sqlite3.Connection, seq: int, now: float
) -> tuple[Job, bool] | Unsendable:
    """A job, and whether its content is what came with it."""
    try:
        row = connection.execute(f"{rows.SELECT} WHERE seq = ?", (seq,)).fetchone()
        job = rows.job(row)
    except rows.Unreadable as error:
        return _aside(connection, seq, now, unreadable(str(error)))
    except sqlite3.OperationalError as error:
        # What is no UTF-8 says Python, and not SQLite.
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise
        return _aside(connection, seq, now, unreadable("text"))
    content = row["bytes"]
    return job, isinstance(content, bytes) and len(content) == row["size"]


def without_time(
    connection: sqlite3.Connection, now: float, *, lanes: int
) -> list[Unsendable]:
    """Set waiting jobs aside whose times are no numbers: they would never be due."""
    # Texts come after all numbers, so that this reads none where there are none.
    wrong = [
        *(
            ("job_due", f"lane = {lane:d} AND priority = {priority:d} AND due >= ''")
            for lane in range(lanes)
            for priority in Priority
        ),
        ("job_end", "expires_at >= ''"),
        ("job_age", "coalesce(send_at, accepted_at) >= ''"),
    ]
    found: set[int] = set()
    for index, is_text in wrong:
        row = connection.execute(
            f"SELECT seq FROM job INDEXED BY {index}"  # noqa: S608 - of our own terms
            f" WHERE state = 'queued' AND {is_text} LIMIT 500"
        )
        found.update(seq for (seq,) in row)
    return [_aside(connection, seq, now, unreadable("times")) for seq in sorted(found)]


def _aside(
    connection: sqlite3.Connection, seq: int, now: float, why: Reply
) -> Unsendable:
    (mail_id,) = connection.execute(
        "UPDATE job SET state = 'failed', due = NULL, ended_at = ?, reply = ?,"
        " content = coalesce(content, 0) WHERE seq = ? AND state = 'queued'"
        " RETURNING CAST(id AS BLOB)",
        (now, str(why), seq),
    ).fetchone()
    return Unsendable(mail_id.decode("utf-8", "backslashreplace"), why, failed=True)


def tell(found: Sequence[Unsendable]) -> int:
    """Log what was found; give how many have ended."""
    for mail_id, why, failed in found:
        log.line(
            logging.ERROR,
            "set aside" if failed else "content missing",
            id=mail_id,
            reply=str(why),
        )
    return sum(one.failed for one in found)
