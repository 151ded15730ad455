"""A job as a row of the spool, and back; no SQL is run here."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import fields
from typing import Any

from relay.model.dsn import NOTHING_ASKED, Dsn
from relay.model.job import (
    Failed,
    Job,
    Queued,
    Sending,
    Sent,
    State,
    Superseded,
)
from relay.model.mail import Choice, ListManagement, Mail, Priority, SendOptions, voids
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId

INSERT = (
    "INSERT INTO job (seq, id, number, content, size, sender, recipients, options,"
    " usage, choice, voids, valid_for, report, accepted_at, expires_at,"
    " priority, state, attempts, maybe_sent, due, ended_at, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT = (
    "SELECT seq, job.id, number, job.content, size, sender, recipients, options, usage,"
    " choice, valid_for, report, accepted_at, expires_at, state, attempts,"
    " maybe_sent, due, ended_at, reply, message_id, priority, bytes"
    " FROM job LEFT JOIN content ON content.id = job.content"
)
# The same without the content, which no list needs.
LISTED = (
    "SELECT seq, id, number, size, sender, recipients, options, usage, choice,"
    " valid_for, report, accepted_at, expires_at, state, attempts, maybe_sent, due,"
    " ended_at, reply, message_id, priority, NULL AS bytes FROM job"
)

# State, attempts, maybe_sent, due, ended_at, reply.
_How = tuple[str, int, bool, float | None, float | None, str | None]

_REPLY = re.compile(r"(\d{3}) \d\.(\d+\.\d+) (.*)")
_NO_OPTIONS = SendOptions()
_NO_CHOICE = Choice()


def columns(job: Job, seq: int, content: int | None) -> tuple[Any, ...]:
    """The values for INSERT of a job that is put."""
    mail, state = job.mail, job.state
    choice = mail.choice
    match state:
        case Queued(attempts, due, last, maybe_sent):
            how: _How = ("queued", attempts, maybe_sent, due, None, text(last))
        case Sending(attempts, maybe_sent, last):
            how = ("sending", attempts, maybe_sent, None, None, text(last))
        case Failed(attempts, at, last, maybe_sent):
            how = ("failed", attempts, maybe_sent, None, at, text(last))
        case Superseded(attempts, at, maybe_sent):
            how = ("superseded", attempts, maybe_sent, None, at, None)
        case Sent():
            raise ValueError("what SES took needs no place in the spool")
    return (
        seq,
        job.id,
        job.number,
        content,
        len(mail.content),
        mail.envelope.sender,
        json.dumps(mail.envelope.recipients),
        _options(mail),
        choice.usage,
        "{}" if choice == _NO_CHOICE else json.dumps(_choice(choice)),
        voids(mail) if choice.supersedes else None,
        choice.valid_for,
        job.report,
        job.accepted_at,
        job.expires_at,
        int(choice.priority),
        *how,
    )


def job(row: sqlite3.Row) -> Job:
    """The job of a row of SELECT; its content is empty where none is kept."""
    choice = json.loads(row["choice"])
    choice["priority"] = Priority(row["priority"])
    if "variables" in choice:
        choice["variables"] = tuple(choice["variables"])
    options = json.loads(row["options"])
    dsn = _dsn_of(options.pop("dsn", None))
    mail = Mail(
        Envelope(row["sender"], tuple(json.loads(row["recipients"])), dsn),
        row["bytes"] or b"",
        _options_of(options),
        Choice(**choice),
    )
    return Job(
        MailId(row["id"]),
        row["number"],
        mail,
        row["accepted_at"],
        row["expires_at"],
        state(row),
        bool(row["report"]),
    )


def state(row: sqlite3.Row) -> State:
    """Where the job of a row stands."""
    attempts, maybe_sent = row["attempts"], bool(row["maybe_sent"])
    last = reply(row["reply"])
    match row["state"]:
        case "queued":
            return Queued(attempts, row["due"], last, maybe_sent)
        case "sending":
            return Sending(attempts, maybe_sent, last)
        case "sent":
            return Sent(attempts, row["ended_at"], row["message_id"])
        case "failed" if last is not None:
            return Failed(attempts, row["ended_at"], last, maybe_sent)
        case "superseded":
            return Superseded(attempts, row["ended_at"], maybe_sent)
        case other:
            raise ValueError(f"job {row['seq']}: no such state: {other}")


def text(said: Reply | None) -> str | None:
    """A reply as its column keeps it."""
    return None if said is None else str(said)


def reply(said: str | None) -> Reply | None:
    """The reply of a column; None: there is none."""
    found = _REPLY.fullmatch(said) if said else None
    return Reply(int(found[1]), found[2], found[3]) if found else None


def _set(value: Any, default: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """The fields of a dataclass that differ from its default."""
    names = [field.name for field in fields(value)]
    return {
        name: getattr(value, name)
        for name in names
        if getattr(value, name) != getattr(default, name)
    }


def _choice(choice: Choice) -> dict[str, Any]:
    """What is set of it; its priority has a column of its own."""
    some = _set(choice, _NO_CHOICE)
    some.pop("priority", None)
    return some


def _options(mail: Mail) -> str:
    """The options, and in their column what the client asked of reports."""
    options, dsn = mail.options, mail.envelope.dsn
    if options == _NO_OPTIONS and dsn == NOTHING_ASKED:
        return "{}"
    some = _set(options, _NO_OPTIONS)
    if dsn != NOTHING_ASKED:
        some["dsn"] = _set(dsn, NOTHING_ASKED)
    if options.list_management is not None:
        chosen = options.list_management
        some["list_management"] = [chosen.contact_list, chosen.topic]
    return json.dumps(some)


def _dsn_of(some: dict[str, Any] | None) -> Dsn:
    if not some:
        return NOTHING_ASKED
    for name in ("unreported", "originals"):
        some[name] = tuple(some.get(name, ()))
    some["originals"] = tuple((one, meant) for one, meant in some["originals"])
    return Dsn(**some)


def _options_of(some: dict[str, Any]) -> SendOptions:
    if not some:
        return _NO_OPTIONS
    if chosen := some.get("list_management"):
        some["list_management"] = ListManagement(*chosen)
    some["tags"] = tuple((name, value) for name, value in some.get("tags", ()))
    return SendOptions(**some)
