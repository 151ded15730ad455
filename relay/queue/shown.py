"""A job of the spool as others see it: `relay queue --json` and `/api/v1/queue`.

Never content, never a variable. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from relay.model.job import Queued, Sent, State
from relay.model.mail import DEFAULT
from relay.queue.listing import ListedJob

Unix = Callable[[float], float]  # Unix time of a moment of the spool's clock


def as_json(entry: ListedJob, unix: Unix) -> dict[str, Any]:
    """The object of one job; null where there is no such thing."""
    job, state = entry.job, entry.job.state
    return {
        "id": job.id,
        "state": name(state),
        "usage": job.mail.choice.usage,
        "account": job.mail.options.account or DEFAULT,
        "sender": job.mail.envelope.sender,
        "recipients": list(job.mail.envelope.recipients),
        "size": entry.size,
        "attempts": state.attempts,
        "acceptedAt": iso(unix(job.accepted_at)),
        "due": iso(unix(state.due)) if isinstance(state, Queued) else None,
        "lastReply": last_reply(entry),
        "maybeSent": entry.maybe_sent,
        "priority": job.mail.choice.priority.name.lower(),
        "rule": job.mail.choice.rule,
        "messageId": state.message_id if isinstance(state, Sent) else None,
    }


def name(state: State) -> str:
    """The word for a state."""
    return type(state).__name__.lower()


def last_reply(entry: ListedJob) -> str | None:
    """What SES or the way to it said last; None: nothing yet."""
    state = entry.job.state
    if isinstance(state, Sent):  # the spool keeps what was said before
        return f"250 2.0.0 Ok {state.message_id}"
    return entry.last


def iso(unix: float) -> str:
    """A moment in ISO 8601, to the millisecond."""
    at = datetime.fromtimestamp(unix, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
