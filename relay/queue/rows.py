"""A job as a row of the spool, and back; no SQL is run here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any, Protocol, TypeVar, assert_never

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
from relay.model.replies import unreadable
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId

T = TypeVar("T")

# Where a job stands, as columns; and all of a row that is put.
HOW = ("state", "attempts", "maybe_sent", "due", "ended_at", "reply")
NAMES = (
    *("seq", "id", "number", "content", "size", "sender", "recipients", "options"),
    *("usage", "choice", "voids", "valid_for", "report", "accepted_at", "expires_at"),
    *("send_at", "priority", "account", "lane", *HOW),
)
INSERT = (
    f"INSERT INTO job ({', '.join(NAMES)})"  # noqa: S608 - of our own names
    f" VALUES ({', '.join('?' * len(NAMES))})"
)
SELECT = (
    "SELECT seq, job.id, number, job.content, size, sender, recipients, options, usage,"
    " choice, valid_for, report, accepted_at, expires_at, state, attempts,"
    " maybe_sent, due, ended_at, reply, message_id, priority, account, send_at, bytes"
    " FROM job LEFT JOIN content ON content.id = job.content"
)
# The same without the content, which no list needs.
LISTED = (
    "SELECT seq, id, number, size, sender, recipients, options, usage, choice,"
    " valid_for, report, accepted_at, expires_at, state, attempts, maybe_sent, due,"
    " ended_at, reply, message_id, priority, account, send_at, NULL AS bytes FROM job"
)

# The values of HOW.
_How = tuple[str, int, bool, float | None, float | None, str | None]

_REPLY = re.compile(r"(\d{3}) \d\.(\d+\.\d+) (.*)")
_NO_OPTIONS = SendOptions()
_NO_CHOICE = Choice()
_LATEST = 1e11  # seconds: no mail waits until the year 5000
# What values that are not as they were written make of their parsers.
_WRONG = (ValueError, TypeError, LookupError, AttributeError, RecursionError)

UNKNOWN = "(unreadable)"  # where an address should be


class Unreadable(Exception):  # noqa: N818 - a statement about a row
    """A column of a row is not as this release writes it; the text is its name."""


class _Read(Protocol):
    def __call__(self, column: str, parse: Callable[[Any], T], default: T) -> T: ...


class Row(Protocol):
    """A row by the names of its columns."""

    def __getitem__(self, column: str) -> Any: ...  # noqa: ANN401 - any value


def how(state: State) -> _How:
    """Where a job stands, as the values of HOW."""
    match state:
        case Queued(attempts, due, last, maybe_sent):
            return "queued", attempts, maybe_sent, due, None, text(last)
        case Sending(attempts, maybe_sent, last):
            return "sending", attempts, maybe_sent, None, None, text(last)
        case Failed(attempts, at, last, maybe_sent):
            return "failed", attempts, maybe_sent, None, at, text(last)
        case Superseded(attempts, at, maybe_sent):
            return "superseded", attempts, maybe_sent, None, at, None
        case Sent():
            raise ValueError("what SES took needs no place in the spool")
        case _:
            assert_never(state)


def columns(job: Job, seq: int, content: int | None, lane: int) -> tuple[Any, ...]:
    """The values for INSERT of a job that is put."""
    mail = job.mail
    choice = mail.choice
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
        job.send_at,
        int(choice.priority),
        mail.options.account,
        lane,
        *how(job.state),
    )


def job(row: Row) -> Job:
    """The job of a row of SELECT; its content is empty where none is kept.

    Raises Unreadable, say where a later release wrote what this one does not know.
    """
    return _job(row, partial(_strictly, row))


def listed(row: Row) -> Job:
    """As much of a row's job as can be read, for lists."""
    return _job(row, partial(_kindly, row))


def size(row: Row) -> int:
    """How large the content was when it came; 0 where that cannot be read."""
    return _kindly(row, "size", _whole, 0)


def recipients(row: Row) -> tuple[str, ...]:
    """The recipients of a row, for lists."""
    return _kindly(row, "recipients", _addresses, (UNKNOWN,))


def _strictly(row: Row, column: str, parse: Callable[[Any], T], _: T) -> T:
    try:
        return parse(row[column])
    except _WRONG as error:
        raise Unreadable(column) from error


def _kindly(row: Row, column: str, parse: Callable[[Any], T], or_: T) -> T:
    try:
        return parse(row[column])
    except _WRONG:
        return or_


def _job(row: Row, read: _Read) -> Job:
    came = read("accepted_at", _moment, 0.0)
    mail = Mail(
        Envelope(
            None if row["sender"] is None else read("sender", _text, UNKNOWN),
            read("recipients", _addresses, (UNKNOWN,)),
            read("options", _dsn_of, NOTHING_ASKED),
        ),
        row["bytes"] if isinstance(row["bytes"], bytes) else b"",
        read("options", _options_of, _NO_OPTIONS)._replace(
            account=read("account", _text, "")
        ),
        replace(
            read("choice", _choice_of, Choice(usage=str(row["usage"]))),
            priority=read("priority", Priority, Priority.NORMAL),
        ),
    )
    return Job(
        MailId(read("id", _text, UNKNOWN)),
        read("number", _whole, 0),
        mail,
        came,
        read("expires_at", _moment, came),
        _state(row, read, came),
        bool(row["report"]),
        None if row["send_at"] is None else read("send_at", _moment, came),
    )


def _state(row: Row, read: _Read, came: float) -> State:
    """Where the job of a row stands."""
    attempts, maybe_sent = read("attempts", _whole, 0), bool(row["maybe_sent"])
    match row["state"]:
        case "queued":
            due = read("due", _moment, came)
            return Queued(attempts, due, reply(row["reply"]), maybe_sent)
        case "sending":
            return Sending(attempts, maybe_sent, reply(row["reply"]))
        case "sent":
            ended = read("ended_at", _moment, came)
            return Sent(attempts, ended, read("message_id", _text, ""))
        case "superseded":
            return Superseded(attempts, read("ended_at", _moment, came), maybe_sent)
        case _:
            read("state", ("failed",).index, 0)
            ended = read("ended_at", _moment, came)
            why = read("reply", _reply, unreadable("reply"))
            return Failed(attempts, ended, why, maybe_sent)


def text(said: Reply | None) -> str | None:
    """A reply as its column keeps it."""
    return None if said is None else str(said)


def reply(said: object) -> Reply | None:
    """The reply of a column; None: there is none."""
    try:
        return _reply(said)
    except _WRONG:
        return None


# What a column holds; each raises what is in _WRONG for another thing.


def _reply(said: Any) -> Reply:  # noqa: ANN401 - whatever SQLite gives
    # None where it is no reply: an AttributeError, which is in _WRONG.
    code, detail, text = _REPLY.fullmatch(said).groups()  # type: ignore[union-attr]
    return Reply(int(code), detail, text)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("no whole number")
    return value


def _moment(value: object) -> float:
    if not isinstance(value, int | float) or not abs(value) < _LATEST:
        raise TypeError("no time")
    return value


def _addresses(value: str) -> tuple[str, ...]:
    found = json.loads(value)
    if not found or not isinstance(found, list):
        raise TypeError("no addresses")
    return tuple(map(_text, found))


def _set(value: Any, default: Any) -> dict[str, Any]:  # noqa: ANN401 - of many fields
    """The fields of a dataclass or named tuple that differ from its default."""
    if hasattr(value, "_fields"):
        names = value._fields
    else:
        names = tuple(field.name for field in fields(value))
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
    some.pop("account", None)  # which has a column of its own
    if dsn != NOTHING_ASKED:
        some["dsn"] = _set(dsn, NOTHING_ASKED)
    if options.list_management is not None:
        chosen = options.list_management
        some["list_management"] = [chosen.contact_list, chosen.topic]
    return json.dumps(some)


def _dsn_of(value: str) -> Dsn:
    """What the client asked of reports, which stands beside the options."""
    if '"dsn"' not in value or not (some := json.loads(value).get("dsn")):
        return NOTHING_ASKED
    if "unreported" in some:
        some["unreported"] = tuple(map(_text, some["unreported"]))
    if "originals" in some:
        pairs = some["originals"]
        some["originals"] = tuple((_text(one), _text(meant)) for one, meant in pairs)
    return Dsn(**_alike(some, NOTHING_ASKED))


def _options_of(value: str) -> SendOptions:
    if value == "{}":
        return _NO_OPTIONS
    some = json.loads(value)
    some.pop("dsn", None)
    if "list_management" in some:
        chosen = some["list_management"]
        some["list_management"] = ListManagement(*map(_text, chosen))
    if "tags" in some:
        tags = some["tags"]
        some["tags"] = tuple((_text(name), _text(said)) for name, said in tags)
    return SendOptions(**_alike(some, _NO_OPTIONS))


def _choice_of(value: str) -> Choice:
    if value == "{}":
        return _NO_CHOICE
    some = json.loads(value)
    if "variables" in some:
        some["variables"] = tuple(map(_text, some["variables"]))
    return Choice(**_alike(some, _NO_CHOICE))


def _alike(some: dict[str, Any], default: object) -> dict[str, Any]:
    """Fields of a dataclass, if each is of its default's type."""
    for name, value in some.items():
        usual = getattr(default, name)
        if name == "valid_for":
            _moment(value)
        elif usual is not None and type(value) is not type(usual):
            raise TypeError(name)
    return some
