"""The hint: what SQS is told of a job that waits, and when to look; pure.

It is never believed, only followed up, and holds nothing of the mail itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from relay.fleet.keys import name_of
from relay.fleet.record import VERSION, Standing, known, object_of
from relay.model.job import Job, Queued, Sending, State
from relay.model.mail import Priority
from relay.model.reply import Reply
from relay.queue import rows
from relay.queue.rows import Unreadable

UNKNOWN_ETAG = "?"  # of no object: whoever has it looks first


@dataclass(frozen=True, slots=True)
class Hint:
    """What SQS is told of a job that waits; never believed, only followed up.

    `etag`: of the state object that it knows, "" none. `begun`: the attempt of who put
    it is under way. All else is as it is after that state, so that the common claim
    has to read nothing before.
    """

    name: str
    size: int
    due: float
    etag: str = ""
    attempts: int = 0
    maybe: bool = False
    begun: bool = False
    last: Reply | None = None
    account: str = ""
    priority: Priority = Priority.NORMAL
    takeovers: int = 0
    expires_at: float | None = None
    usage: str = ""

    def to_text(self) -> str:
        return json.dumps(
            {
                "v": VERSION,
                "job": self.name,
                "size": self.size,
                "etag": self.etag,
                "attempts": self.attempts,
                "due": self.due,
                "maybe": self.maybe,
                "begun": self.begun,
                "last": rows.text(self.last),
                "account": self.account,
                "priority": int(self.priority),
                "takeovers": self.takeovers,
                "expiresAt": self.expires_at,
                "usage": self.usage,
            }
        )


def hint_of(
    job: Job, stands: Standing, size: int, etag: str = "", *, begun: bool = False
) -> Hint:
    """The hint of a job that stands so."""
    state: State = stands.state
    last = state.last if isinstance(state, Queued | Sending) else None
    return Hint(
        name_of(job),
        size,
        state.due if isinstance(state, Queued) else 0.0,
        etag,
        state.attempts,
        state.maybe_sent if isinstance(state, Queued | Sending) else False,
        begun,
        last,
        job.mail.options.account,
        job.mail.choice.priority,
        stands.takeovers,
        stands.expires_at,
        job.mail.choice.usage,
    )


def read(text: str) -> Hint:
    """The hint in a message. Raises Later and Unreadable."""
    found = object_of(text.encode("utf-8", "surrogatepass"))
    known(found)
    try:
        name, etag = found["job"], found["etag"]
        if not (isinstance(name, str) and isinstance(etag, str) and _is_name(name)):
            raise TypeError(name)
        expires_at = found.get("expiresAt")
        return Hint(
            name,
            int(found["size"]),
            float(found["due"]),
            etag,
            int(found["attempts"]),
            bool(found["maybe"]),
            bool(found["begun"]),
            rows.reply(found.get("last")),
            str(found.get("account", "")),
            Priority(found.get("priority", Priority.NORMAL)),
            int(found.get("takeovers", 0)),
            None if expires_at is None else float(expires_at),
            str(found.get("usage", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("hint") from error


def _is_name(name: str) -> bool:
    """Tell whether it may be the end of a key: what others wrote names no other."""
    return (
        0 < len(name) <= 100
        and name.isascii()
        and name.isprintable()
        and "/" not in name
        and "." in name
    )


def delay(stands: Standing, now: float) -> float:
    """Seconds until somebody should look at a job that stands so."""
    return max(stands.state.due - now, 0.0) if isinstance(stands.state, Queued) else 0.0
