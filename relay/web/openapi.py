"""The OpenAPI document: what the API takes and gives.

The tests hold every answer against it.
"""

from __future__ import annotations

from typing import Any

from relay.observe.stats import OUTCOMES
from relay.web.mails import MOST_LISTED, STATES
from relay.web.queue import STATES as QUEUE_STATES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
ANYTHING: Schema = {"type": "object", "additionalProperties": True}


def document(*, version: str) -> Schema:
    """The document of this version."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ses-relay",
            "version": version,
            "description": (
                "What a relay knows of its mails, templates, queue and figures. "
                "Contents are kept in capture mode only."
            ),
        },
        "paths": {**_mails(), **_captured(), **_templates(), **_queue(), **_rest()},
        "components": {
            "schemas": {name: _object(fields) for name, fields in _SCHEMAS.items()},
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
            },
        },
    }


def _or_null(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _object(fields: Schema, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _word(words: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(words)}


_SUMMARY: Schema = {
    "seq": COUNT,
    "id": TEXT,
    "at": NUMBER,
    "sender": _or_null(TEXT),
    "to": TEXTS,
    "recipients": COUNT,
    "subject": TEXT,
    "usage": TEXT,
    "state": _word(STATES),
    "ms": _or_null(NUMBER),
    "size": COUNT,
    "reply": TEXT,
}

_SCHEMAS: dict[str, Schema] = {
    "Problem": {"error": TEXT},
    "Summary": _SUMMARY,
    "Call": {
        "call": COUNT,
        "state": _word(STATES),
        "messageId": TEXT,
        "reply": TEXT,
        "due": _or_null(NUMBER),
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
    },
    "Story": {
        **_SUMMARY,
        "peer": TEXT,
        "listener": TEXT,
        "user": TEXT,
        "template": TEXT,
        "locale": TEXT,
        "variables": TEXTS,
        "warnings": TEXTS,
        "calls": _list("Call"),
        "attempts": _list("Attempt"),
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
        "sender": _or_null(TEXT),
        "usage": TEXT,
        "locale": TEXT,
        "subject": TEXT,
        "text": TEXT,
        "html": _or_null(TEXT),
        "code": TEXT,
        "links": TEXTS,
        "headers": {
            "type": "array",
            "items": {**TEXTS, "minItems": 2, "maxItems": 2},
        },
        "attachments": _list("Attachment"),
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
        "validFor": _or_null(NUMBER),
        "supersedes": FLAG,
        "attachments": TEXT,
        "warnings": TEXTS,
        "place": TEXT,
        "problems": COUNT,
    },
    "Fault": {"kind": TEXT, "text": TEXT, "line": COUNT},
    "Rendered": {
        "usage": TEXT,
        "locale": TEXT,
        "subject": TEXT,
        "from": TEXT,
        "to": TEXT,
        "replyTo": TEXT,
        "text": TEXT,
        "html": _or_null(TEXT),
        "view": _or_null(TEXT),
        "source": TEXT,
        "size": COUNT,
        "problems": _list("Fault"),
    },
    "Job": {
        "id": TEXT,
        "state": _word(("queued", "sending", "sent", "failed", "superseded")),
        "usage": TEXT,
        "sender": _or_null(TEXT),
        "recipients": TEXTS,
        "size": COUNT,
        "attempts": COUNT,
        "acceptedAt": TEXT,
        "due": _or_null(TEXT),
        "lastReply": _or_null(TEXT),
        "maybeSent": FLAG,
        "messageId": _or_null(TEXT),
    },
    "Obstacle": {"id": TEXT, "obstacle": TEXT},
    "Moved": {"done": COUNT, "obstacles": _list("Obstacle")},
    "Now": {
        "waiting": _or_null(COUNT),
        "sending": _or_null(COUNT),
        "oldest": _or_null(NUMBER),
        "rate": _or_null(NUMBER),
        "fullRate": _or_null(NUMBER),
        "connections": COUNT,
        "memory": COUNT,
        "memoryLimit": COUNT,
        "paused": TEXT,
        "quota": _or_null(NUMBER),
        "quotaUsed": _or_null(NUMBER),
    },
    "Point": {
        "at": NUMBER,
        "counts": {
            "type": "object",
            "properties": dict.fromkeys(OUTCOMES, COUNT),
            "additionalProperties": False,
        },
        "p50": _or_null(NUMBER),
        "p95": _or_null(NUMBER),
        "p99": _or_null(NUMBER),
        "waiting": _or_null(COUNT),
        "oldest": _or_null(NUMBER),
        "rate": _or_null(NUMBER),
    },
    "Trouble": {"text": TEXT, "cure": TEXT},
    "Status": {
        "version": TEXT,
        "transport": _word(("ses", "capture")),
        "queue": TEXT,
        "region": TEXT,
        "listeners": TEXTS,
        "usageHeader": TEXT,
        "usages": TEXTS,
        "waiting": _or_null(COUNT),
        "troubles": _list("Trouble"),
        "mayWrite": FLAG,
        "stopping": FLAG,
    },
}

_WHAT = {
    200: "Done",
    202: "Queued",
    400: "The request is not right",
    401: "Name and password, or the token, are missing or wrong",
    403: "Not from here, or not in this mode",
    404: "There is no such thing",
    408: "The request did not come in time",
    409: "There is no queue",
    413: "Too large",
    415: "Not JSON",
    422: "Not with this address, template or variables",
    429: "SES throttles, or its quota is used up",
    503: "Not now",
}


def _operation(
    summary: str,
    answer: Schema,
    *,
    also: tuple[int, ...] = (),
    parameters: tuple[Schema, ...] = (),
    body: Schema | None = None,
    media: str = "application/json",
) -> Schema:
    wrong = {
        str(status): _answer(_WHAT[status], _ref("Problem"))
        for status in (401, 403, 503, *also)
    }
    operation: Schema = {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": _answer(_WHAT[200], answer, media), **wrong},
    }
    if body is not None:
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answer(what: str, schema: Schema, media: str = "application/json") -> Schema:
    return {"description": what, "content": {media: {"schema": schema}}}


def _asked(name: str, schema: Schema, what: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": what}


_ID: Schema = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "As replies and the log name it",
}
_MOMENT: Schema = {"type": "number", "minimum": 0, "maximum": 1e11}
_QUERY: Schema = {"type": "string", "maxLength": 500}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _mails() -> Schema:
    return {
        "/api/v1/mails": {
            "get": _operation(
                "The last mails, the newest first",
                _object(
                    {"mails": _list("Summary"), "next": _or_null(COUNT), "kept": COUNT}
                ),
                also=(400,),
                parameters=(
                    _asked("q", _QUERY, "Words that all must occur"),
                    _asked("usage", _QUERY, "Its usage"),
                    _asked("to", _QUERY, "Part of a recipient's address"),
                    _asked("state", _word(STATES), "Its state"),
                    _asked("since", _MOMENT, "Not before; Unix seconds"),
                    _asked("until", _MOMENT, "Before; Unix seconds"),
                    _asked("limit", _whole(1, MOST_LISTED), "How many; 100"),
                    _asked("before", _whole(0, 10**18), "Go on after `next`"),
                ),
            ),
            "delete": _operation(
                "Forget all captured mails", _object({"cleared": COUNT})
            ),
        },
        "/api/v1/mails/{id}": {
            "get": _operation(
                "The story of one mail",
                _ref("Story"),
                also=(404,),
                parameters=(_ID,),
            )
        },
    }


def _captured() -> Schema:
    return {
        "/api/v1/mails/{id}/content": {
            "get": _operation(
                "What is in a captured mail",
                _ref("Content"),
                also=(404,),
                parameters=(_ID,),
            )
        },
        "/api/v1/mails/{id}/raw": {
            "get": _operation(
                "A captured mail as it would have gone to SES",
                TEXT,
                also=(404,),
                parameters=(_ID,),
                media="message/rfc822",
            )
        },
        "/api/v1/mails/{id}/code": {
            "get": _operation(
                "The one-time code in a captured mail",
                _object({"code": TEXT}),
                also=(404,),
                parameters=(_ID,),
            )
        },
        "/api/v1/wait": {
            "get": _operation(
                "The newest captured mail that fits, at once or when it comes",
                _ref("Content"),
                also=(400, 404, 503),
                parameters=(
                    _asked("to", _QUERY, "One of its recipients"),
                    _asked("usage", _QUERY, "Its usage"),
                    _asked("subject", _QUERY, "Part of its subject"),
                    _asked("after", _QUERY, "The id of a mail that it came after"),
                    _asked(
                        "timeout",
                        {"type": "number", "minimum": 0, "maximum": 300},
                        "Seconds to wait; 10",
                    ),
                ),
            )
        },
    }


def _templates() -> Schema:
    asked: Schema = {
        "usage": {"type": "string", "minLength": 1},
        "locale": TEXT,
        "variables": _or_null(ANYTHING),
    }
    optional = ("locale", "variables", "to")
    return {
        "/api/v1/templates": {
            "get": _operation(
                "Every template, and variables to try them with",
                _object(
                    {
                        "templates": _list("Template"),
                        "warnings": TEXTS,
                        "samples": ANYTHING,
                    }
                ),
            )
        },
        "/api/v1/templates/render": {
            "post": _operation(
                "What a template makes of variables; nothing is sent",
                _ref("Rendered"),
                also=(400, 408, 413, 415, 422),
                body=_object({**asked, "to": TEXT}, optional),
            )
        },
        "/api/v1/templates/send": {
            "post": _operation(
                "Send one through the relay",
                _object({"id": TEXT, "reply": TEXT}),
                also=(400, 408, 413, 415, 422),
                body=_object(
                    {**asked, "to": {"type": "string", "minLength": 1}},
                    ("locale", "variables"),
                ),
            )
        },
    }


def _queue() -> Schema:
    ids: Schema = {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 64},
        "minItems": 1,
        "maxItems": 500,
    }
    change: dict[str, Any] = {
        "also": (400, 408, 409, 413, 415, 503),
        "body": _object({"ids": ids}),
    }
    return {
        "/api/v1/queue": {
            "get": _operation(
                "What waits and what failed, the oldest first",
                _object({"mails": _list("Job"), "next": _or_null(COUNT)}),
                also=(400, 503),
                parameters=(
                    _asked("state", _word(tuple(QUEUE_STATES)), "open"),
                    _asked("limit", _whole(1, 500), "How many; 100"),
                    _asked("after", _whole(0, 10**18), "Go on after `next`"),
                ),
            )
        },
        "/api/v1/queue/retry": {
            "post": _operation(
                "Try waiting mail now, and failed mail anew", _ref("Moved"), **change
            )
        },
        "/api/v1/queue/drop": {
            "post": _operation(
                "Delete waiting and failed mail, for good", _ref("Moved"), **change
            )
        },
    }


def _rest() -> Schema:
    figures = {
        "now": _ref("Now"),
        "every": NUMBER,
        "points": _list("Point"),
        "attempts": {"type": "object", "additionalProperties": COUNT},
    }
    return {
        "/api/v1/figures": {
            "get": _operation("How things stand, and the last hour", _object(figures))
        },
        "/api/v1/status": {"get": _operation("What this relay is", _ref("Status"))},
        "/api/v1/events": {
            "get": _operation(
                "What changes, as server-sent events: mails, point, cleared",
                TEXT,
                also=(503,),
                media="text/event-stream",
            )
        },
        "/api/v1/openapi.json": {"get": _operation("This document", ANYTHING)},
        "/api/v1/send": {"post": _send()},
    }


def _send() -> Schema:
    sent = _object({"id": TEXT, "messageId": TEXT})
    wrong = _object({"error": TEXT, "id": TEXT}, ("id",))
    body: Schema = {
        "type": "object",
        "properties": {
            "to": {"type": "string", "minLength": 1},
            "type": {"type": "string", "minLength": 1, "description": "The usage"},
            "payload": {**_or_null(ANYTHING), "description": "The variables"},
            "ip": TEXT,
        },
        "required": ["to", "type"],
        "additionalProperties": True,
    }
    return {
        "summary": "Send templated mail, as Logto's HTTP e-mail connector asks for it",
        "description": "Off unless intake.token is set.",
        "security": [{"token": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body}},
        },
        "responses": {
            "200": _answer("Sent", sent),
            "202": _answer("Queued", _object({"id": TEXT})),
            **{
                str(status): _answer(_WHAT[status], wrong)
                for status in (400, 401, 404, 408, 413, 415, 422, 429, 503)
            },
        },
    }
