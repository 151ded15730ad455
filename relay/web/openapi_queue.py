"""The OpenAPI document's part about the queue."""

from __future__ import annotations

from typing import Any

from relay.model.cause import NAMES
from relay.model.mail import Priority
from relay.web.operations import ID, asked, operation, whole
from relay.web.queue_search import PLACE, STATES
from relay.web.schemas import (
    ANYTHING,
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    Schema,
    closed,
    list_of,
    one_word,
    or_null,
    ref,
)
from relay.web.words import ZONE

_ZONE: Schema = {"type": "integer", "minimum": -1439, "maximum": 1439}
_PLACE: Schema = {"type": "string", "pattern": PLACE}
_PRIORITIES = tuple(one.name.lower() for one in Priority)

SCHEMAS: dict[str, Schema] = {
    "Waiting": {
        "id": TEXT,
        "state": one_word(("queued", "sending", "sent", "failed", "superseded")),
        "usage": TEXT,
        "account": TEXT,
        "sender": or_null(TEXT),
        "recipients": TEXTS,
        "size": COUNT,
        "attempts": COUNT,
        "acceptedAt": TEXT,
        "due": or_null(TEXT),
        "lastReply": or_null(TEXT),
        "maybeSent": FLAG,
        "priority": TEXT,
        "rule": TEXT,
        "messageId": or_null(TEXT),
        "story": FLAG,
    },
    "Cause": {
        "state": one_word(("queued", "failed")),
        "account": TEXT,
        "cause": one_word(NAMES),
        "title": TEXT,
        "cure": TEXT,
        "policy": TEXT,
        "detail": TEXT,
        "mails": COUNT,
        "ages": {"type": "array", "items": COUNT},
        "priorities": closed(dict.fromkeys(_PRIORITIES, COUNT)),
        "maybeSent": COUNT,
        "dueNow": COUNT,
        "oldest": NUMBER,
        "due": or_null(NUMBER),
        "said": TEXT,
        "alike": FLAG,
    },
    "Causes": {
        "waiting": COUNT,
        "sending": COUNT,
        "failed": COUNT,
        "groups": list_of("Cause"),
        "ages": {"type": "array", "items": COUNT},
        "paused": ANYTHING,
        "at": NUMBER,
        "again": NUMBER,
        "work": or_null(ref("Work")),
    },
    "LeftAlone": {"obstacle": TEXT, "mails": COUNT},
    "Work": {
        "id": TEXT,
        "what": one_word(("retry", "drop")),
        "state": one_word(("chosen", "running", "done", "stopped", "broken")),
        "mails": COUNT,
        "sending": COUNT,
        "done": COUNT,
        "left": list_of("LeftAlone"),
        "trouble": TEXT,
    },
    "Obstacle": {"id": TEXT, "obstacle": TEXT},
    "Moved": {"done": COUNT, "obstacles": list_of("Obstacle")},
}


def paths() -> Schema:
    """The paths below `/api/v1/queue`."""
    ids: Schema = {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 64},
        "minItems": 1,
        "maxItems": 500,
    }
    change: dict[str, Any] = {
        "also": (400, 408, 409, 413, 415, 503),
        "body": closed({"ids": ids}),
    }
    state, cause = one_word(tuple(STATES)), one_word(NAMES)
    chosen = closed(
        {
            "what": one_word(("retry", "drop")),
            "state": state,
            "cause": cause,
            "account": TEXT,
            "q": TEXT,
            "zone": {"type": "string", "pattern": ZONE},
        },
        optional=("state", "cause", "account", "q", "zone"),
    )
    moving: dict[str, Any] = {**change, "also": (*change["also"], 404)}
    begun = {**moving, "body": ANYTHING, "parameters": (ID,)}
    return {
        "/api/v1/queue": {
            "get": operation(
                "What waits and what failed, the oldest first",
                closed(
                    {
                        "mails": list_of("Waiting"),
                        "next": or_null(TEXT),
                        "total": or_null(COUNT),
                        "again": NUMBER,
                    }
                ),
                also=(400, 409, 503),
                parameters=(
                    asked("state", state, "open"),
                    asked("cause", cause, "Why it waits or failed"),
                    asked("account", TEXT, "The account that it leaves by"),
                    asked("q", TEXT, "Words such as to:ann usage:SignIn since:10m"),
                    asked(
                        "zone",
                        _ZONE,
                        "Minutes that `q`'s times are ahead of UTC",
                    ),
                    asked("limit", whole(1, 500), "How many; 100"),
                    asked("after", _PLACE, "Go on after `next`"),
                ),
            )
        },
        "/api/v1/queue/causes": {
            "get": operation(
                "All that waits and all that failed, by why",
                ref("Causes"),
                also=(409, 503),
            )
        },
        "/api/v1/queue/works": {
            "post": operation(
                "Choose and count what is to be retried or dropped; nothing is done",
                ref("Work"),
                **{**change, "body": chosen},
            )
        },
        "/api/v1/queue/works/{id}": {
            "get": operation(
                "How far it is", ref("Work"), also=(404, 409), parameters=(ID,)
            )
        },
        "/api/v1/queue/works/{id}/begin": {
            "post": operation("Do it, with what was chosen", ref("Work"), **begun)
        },
        "/api/v1/queue/works/{id}/stop": {
            "post": operation("End it after its present part", ref("Work"), **begun)
        },
        "/api/v1/queue/retry": {
            "post": operation(
                "Try waiting mail now, and failed mail anew", ref("Moved"), **change
            )
        },
        "/api/v1/queue/drop": {
            "post": operation(
                "Delete waiting and failed mail, for good", ref("Moved"), **change
            )
        },
    }
