"""The schemas of the OpenAPI document: what the API's answers are made of.

Each answer of `/api/v1` has its shape here by name; `openapi` says which path gives it.
"""

from __future__ import annotations

from typing import Any

from relay.observe.stats import OUTCOMES
from relay.web.mails import STATES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
PAIR: Schema = {**TEXTS, "minItems": 2, "maxItems": 2}
ANYTHING: Schema = {"type": "object", "additionalProperties": True}


def or_null(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def closed(fields: Schema, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> Schema:
    return {"type": "array", "items": ref(name)}


def one_word(words: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(words)}


_SUMMARY: Schema = {
    "seq": COUNT,
    "id": TEXT,
    "at": NUMBER,
    "sender": or_null(TEXT),
    "to": TEXTS,
    "recipients": COUNT,
    "subject": TEXT,
    "usage": TEXT,
    "state": one_word(STATES),
    "ms": or_null(NUMBER),
    "size": COUNT,
    "reply": TEXT,
}

SCHEMAS: dict[str, Schema] = {
    "Problem": {"error": TEXT},
    "Summary": _SUMMARY,
    "Call": {
        "call": COUNT,
        "state": one_word(STATES),
        "messageId": TEXT,
        "reply": TEXT,
        "due": or_null(NUMBER),
        "maybeSent": FLAG,
    },
    "Attempt": {
        "call": COUNT,
        "attempt": COUNT,
        "at": NUMBER,
        "ms": NUMBER,
        "answer": TEXT,
        "reply": TEXT,
        "detail": TEXT,
        "maybeSent": FLAG,
        "account": TEXT,
    },
    "Story": {
        **_SUMMARY,
        "peer": TEXT,
        "listener": TEXT,
        "account": TEXT,
        "user": TEXT,
        "template": TEXT,
        "locale": TEXT,
        "rule": TEXT,
        "variables": TEXTS,
        "warnings": TEXTS,
        "calls": list_of("Call"),
        "attempts": list_of("Attempt"),
        "attemptsLeftOut": COUNT,
        "overtakenBy": TEXT,
        "reports": TEXTS,
        "parameters": {"type": "array", "items": ANYTHING},
    },
    "Attachment": {"name": TEXT, "type": TEXT, "size": COUNT},
    "Content": {
        "id": TEXT,
        "at": NUMBER,
        "to": TEXTS,
        "sender": or_null(TEXT),
        "usage": TEXT,
        "locale": TEXT,
        "subject": TEXT,
        "text": TEXT,
        "html": or_null(TEXT),
        "code": TEXT,
        "links": TEXTS,
        "headers": {"type": "array", "items": PAIR},
        "attachments": list_of("Attachment"),
        "remote": COUNT,
    },
    "Template": {
        "usage": TEXT,
        "locale": TEXT,
        "subject": TEXT,
        "contentType": TEXT,
        "sendFrom": TEXT,
        "replyTo": TEXT,
        "variables": TEXTS,
        "validFor": or_null(NUMBER),
        "supersedes": FLAG,
        "priority": TEXT,
        "attachments": TEXT,
        "tracking": FLAG,
        "unsubscribe": TEXT,
        "perRecipient": TEXT,
        "overLimit": TEXT,
        "warnings": TEXTS,
        "place": TEXT,
        "problems": COUNT,
    },
    "Fault": {
        "kind": TEXT,
        "text": TEXT,
        "line": COUNT,
        "level": one_word(("warning", "error")),
    },
    "Rendered": {
        "usage": TEXT,
        "locale": TEXT,
        "subject": TEXT,
        "from": TEXT,
        "to": TEXT,
        "replyTo": TEXT,
        "text": TEXT,
        "html": or_null(TEXT),
        "view": or_null(TEXT),
        "source": TEXT,
        "size": COUNT,
        "problems": list_of("Fault"),
    },
    "Proposal": {
        "rule": ANYTHING,
        "usages": TEXTS,
        "others": closed(
            {
                "conditions": ANYTHING,
                "headers": {"type": "array", "items": PAIR},
                "extract": TEXTS,
            }
        ),
    },
    "Condition": {"name": TEXT, "holds": FLAG, "problem": TEXT},
    "Expression": {"pattern": TEXT, "variables": ANYTHING, "problem": TEXT},
    "Trial": {
        "holds": FLAG,
        "conditions": list_of("Condition"),
        "extract": list_of("Expression"),
        "variables": ANYTHING,
        "missing": TEXTS,
        "problem": TEXT,
        "toml": TEXT,
        "rendered": or_null(ref("Rendered")),
        "obstacle": TEXT,
    },
    "Kind": {"kind": TEXT, "mails": COUNT, "last": TEXT},
    "Unclaimed": {
        "by": one_word(("subject", "sender")),
        "mails": COUNT,
        "kinds": list_of("Kind"),
    },
    "Job": {
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
    },
    "Obstacle": {"id": TEXT, "obstacle": TEXT},
    "Moved": {"done": COUNT, "obstacles": list_of("Obstacle")},
    "Now": {
        "waiting": or_null(COUNT),
        "sending": or_null(COUNT),
        "oldest": or_null(NUMBER),
        "rate": or_null(NUMBER),
        "fullRate": or_null(NUMBER),
        "connections": COUNT,
        "memory": COUNT,
        "memoryLimit": COUNT,
        "paused": TEXT,
        "quota": or_null(NUMBER),
        "quotaUsed": or_null(NUMBER),
        "accounts": list_of("AccountNow"),
    },
    "AccountNow": {
        "account": TEXT,
        "fallback": or_null(TEXT),
        "paused": TEXT,
        "rate": or_null(NUMBER),
        "fullRate": or_null(NUMBER),
        "quota": or_null(NUMBER),
        "quotaUsed": or_null(NUMBER),
    },
    "Point": {
        "at": NUMBER,
        "counts": {
            "type": "object",
            "properties": dict.fromkeys(OUTCOMES, COUNT),
            "additionalProperties": False,
        },
        "p50": or_null(NUMBER),
        "p95": or_null(NUMBER),
        "p99": or_null(NUMBER),
        "waiting": or_null(COUNT),
        "oldest": or_null(NUMBER),
        "rate": or_null(NUMBER),
    },
    "Trouble": {"text": TEXT, "cure": TEXT},
    "Status": {
        "version": TEXT,
        "transport": one_word(("ses", "capture")),
        "queue": TEXT,
        "region": TEXT,
        "listeners": TEXTS,
        "usageHeader": TEXT,
        "usages": TEXTS,
        "guard": TEXT,
        "waiting": or_null(COUNT),
        "troubles": list_of("Trouble"),
        "mayWrite": FLAG,
        "stopping": FLAG,
    },
}
