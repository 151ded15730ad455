"""A job as an object of the bucket, and where it stands; pure.

Unknown fields are ignored, and a later version is
left alone. All times are Unix time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from relay.model.job import Failed, Job, Queued, Sending
from relay.model.replies import unreadable
from relay.model.reply import Reply
from relay.queue import rows
from relay.queue.rows import Unreadable

VERSION = 1
DROPPED = Reply(554, "3.0", "Dropped by an operator")


class Later(Exception):  # noqa: N818 - a statement about what was read
    """It was written by a later release, which may know it."""


def newest_of(at: float, mail_id: str) -> bytes:
    """What stands there."""
    return json.dumps({"v": VERSION, "at": at, "id": mail_id}).encode()


def newest(stored: bytes) -> tuple[float, str] | None:
    """When the newest mail came, and its id; None where that cannot be read."""
    try:
        found = object_of(stored)
        return float(found["at"]), str(found["id"])
    except (Unreadable, KeyError, TypeError, ValueError):
        return None


# Where a job stands.


@dataclass(frozen=True, slots=True)
class Standing:
    """A job's state with what the fleet adds to it.

    `lease` are the seconds that an attempt has before others may take it over, `by`
    the hand that wrote this. `expires_at`: instead of the record's.
    """

    state: Queued | Sending | Failed
    takeovers: int = 0
    lease: float = 0.0
    by: str = ""
    expires_at: float | None = None

    def to_bytes(self, now: float) -> bytes:
        return json.dumps(self.to_json(now)).encode()

    def to_json(self, now: float) -> dict[str, Any]:
        state = self.state
        said = state.reply if isinstance(state, Failed) else state.last
        return {
            "v": VERSION,
            "state": type(state).__name__.lower(),
            "attempts": state.attempts,
            "maybe": state.maybe_sent,
            "takeovers": self.takeovers,
            "due": state.due if isinstance(state, Queued) else None,
            "last": rows.text(said),
            "at": state.at if isinstance(state, Failed) else now,
            "lease": self.lease,
            "by": self.by,
            "expiresAt": self.expires_at,
        }


def standing(stored: bytes | Mapping[str, Any]) -> Standing:
    """Where a job stands by its state object. Raises Later and Unreadable."""
    found = object_of(stored) if isinstance(stored, bytes) else stored
    known(found)
    try:
        expires_at = found.get("expiresAt")
        return Standing(
            _state(found),
            int(found.get("takeovers", 0)),
            float(found.get("lease") or 0.0),
            str(found.get("by", "")),
            None if expires_at is None else float(expires_at),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("state") from error


def _state(found: Mapping[str, Any]) -> Queued | Sending | Failed:
    attempts, maybe = int(found["attempts"]), bool(found["maybe"])
    last = rows.reply(found.get("last"))
    match found["state"]:
        case "queued":
            return Queued(attempts, float(found["due"]), last, maybe)
        case "sending":
            return Sending(attempts, maybe, last)
        case "failed":
            why = last or unreadable("reply")
            return Failed(attempts, float(found["at"]), why, maybe)
    raise ValueError(found["state"])


# The record: what it is, written once.


class Record(NamedTuple):
    """A job as it was put, its content where that stands in the record itself.

    `shared`: the content is an object of its own, for all calls of the submission.
    """

    job: Job
    standing: Standing
    calls: int
    size: int
    shared: bool
    whole: bool  # the content is here, or is an object of its own


def record(job: Job, standing: Standing, *, calls: int = 1, now: float) -> bytes:
    """The object of a job; of several calls its content stands elsewhere."""
    mail = job.mail
    row = dict(zip(rows.NAMES, rows.columns(job, 0, None, 0), strict=True))
    shared = calls > 1
    head = {
        "v": VERSION,
        "id": job.id,
        "n": job.number,
        "calls": calls,
        "sender": row["sender"],
        "recipients": json.loads(row["recipients"]),
        "options": json.loads(row["options"]),
        "choice": json.loads(row["choice"]),
        "usage": row["usage"],
        "account": row["account"],
        "priority": row["priority"],
        "acceptedAt": job.accepted_at,
        "expiresAt": job.expires_at,
        "sendAt": job.send_at,
        "report": job.report,
        "size": len(mail.content),
        "shared": shared,
        "state": standing.to_json(now),
    }
    line = json.dumps(head).encode() + b"\n"
    return line if shared else line + mail.content


def read(stored: bytes, *, whole: bool = True, kindly: bool = False) -> Record:
    """The record in an object, or in its beginning. Raises Later and Unreadable.

    `kindly`: what cannot be read of it is left out, for lists.
    """
    line, end, content = stored.partition(b"\n")
    head = object_of(line if end else b"")
    known(head)
    shared = head.get("shared") is True
    stands = standing(head.get("state") or {})
    size = head.get("size")
    row = {
        "id": head.get("id"),
        "number": head.get("n"),
        "size": size,
        "sender": head.get("sender"),
        "recipients": json.dumps(head.get("recipients")),
        "options": json.dumps(head.get("options")),
        "choice": json.dumps(head.get("choice")),
        "usage": head.get("usage", ""),
        "valid_for": None,
        "report": head.get("report"),
        "accepted_at": head.get("acceptedAt"),
        "expires_at": head.get("expiresAt"),
        "send_at": head.get("sendAt"),
        "priority": head.get("priority"),
        "account": head.get("account"),
        "message_id": None,
        "bytes": content if whole and not shared else b"",
        **dict(zip(rows.HOW, rows.how(stands.state), strict=True)),
    }
    calls = head.get("calls")
    if not isinstance(size, int) or not isinstance(calls, int):
        raise Unreadable("size")
    return Record(
        rows.listed(row) if kindly else rows.job(row),
        stands,
        calls,
        size,
        shared,
        shared or not whole or len(content) == size,
    )


def object_of(stored: bytes) -> Mapping[str, Any]:
    """The JSON object in some bytes. Raises Unreadable."""
    try:
        found = json.loads(stored)
    except (ValueError, RecursionError) as error:
        raise Unreadable("json") from error
    if not isinstance(found, dict):
        raise Unreadable("json")
    return found


def known(found: Mapping[str, Any]) -> None:
    """Raise Later for what a later release wrote, Unreadable for what none did."""
    version = found.get("v")
    if not isinstance(version, int):
        raise Unreadable("v")
    if version > VERSION:
        raise Later(version)
