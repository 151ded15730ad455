"""The schemas of the OpenAPI document: what the API's answers are made of.

Each answer of `/api/v1` has its shape here by name; `openapi` says which path gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relay.model.feedback import WORDS
from relay.observe.facts import FATES
from relay.web.search import STATES

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


def counts_of(words: Sequence[str]) -> Schema:
    """How many of each word; those of which there are none may be left out."""
    return closed(dict.fromkeys(words, COUNT), tuple(words))


_SUMMARY: Schema = {
    "seq": COUNT,
    "rev": COUNT,
    "id": TEXT,
    "at": NUMBER,
    "sender": or_null(TEXT),
    "to": TEXTS,
    "recipients": COUNT,
    "subject": TEXT,
    "usage": TEXT,
    "state": one_word(STATES),
    "fate": one_word(("", *FATES)),
    "ms": or_null(NUMBER),
    "size": COUNT,
    "reply": TEXT,
}

SCHEMAS: dict[str, Schema] = {
    "Problem": {"error": TEXT},
    "Listed": {
        "mails": list_of("Summary"),
        "gone": {"type": "array", "items": COUNT},
        "next": or_null(COUNT),
        "kept": COUNT,
        "run": TEXT,
        "asOf": COUNT,
        "oldest": COUNT,
    },
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
        "feedback": list_of("Feedback"),
        "overtakenBy": TEXT,
        "reports": TEXTS,
        "headers": {"type": "array", "items": PAIR},
        "headersLeftOut": COUNT,
        "forwardOf": TEXT,
        "forwards": TEXTS,
        "why": or_null(ref("Why")),
        "parameters": {"type": "array", "items": ANYTHING},
    },
    "Feedback": {
        "kind": one_word(tuple(WORDS)),
        "at": NUMBER,
        "recipient": TEXT,
        "status": TEXT,
        "detail": TEXT,
        "type": TEXT,
        "reason": TEXT,
        "link": TEXT,
        "messageId": TEXT,
    },
    "Template": {
        "usage": TEXT,
        "locale": TEXT,
        "subject": TEXT,
        "contentType": TEXT,
        "syntax": one_word(("simple", "jinja")),
        "timezone": TEXT,
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
        "sample": ANYTHING,
    },
    "Fault": {
        "kind": TEXT,
        "text": TEXT,
        "line": COUNT,
        "column": COUNT,
        "file": TEXT,
        "fileLine": COUNT,
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
    "SettingsRead": {
        "hash": TEXT,
        "at": NUMBER,
        "mistake": TEXT,
        "needsRestart": TEXTS,
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
        "settings": ref("SettingsRead"),
        "troubles": list_of("Trouble"),
        "mayWrite": FLAG,
        "stopping": FLAG,
    },
}
