"""The OpenAPI document: the paths of the API, what each takes and gives.

The shapes are in `schemas`. The tests hold every answer against it.
"""

from __future__ import annotations

from typing import Any

from relay.web.mails import MOST_LISTED, STATES
from relay.web.queue import STATES as QUEUE_STATES
from relay.web.schemas import (
    ANYTHING,
    COUNT,
    NUMBER,
    SCHEMAS,
    TEXT,
    TEXTS,
    Schema,
    closed,
    list_of,
    one_word,
    or_null,
    ref,
)


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
            "schemas": {name: closed(fields) for name, fields in SCHEMAS.items()},
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
            },
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
        str(status): _answer(_WHAT[status], ref("Problem"))
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
                closed(
                    {"mails": list_of("Summary"), "next": or_null(COUNT), "kept": COUNT}
                ),
                also=(400,),
                parameters=(
                    _asked("q", _QUERY, "Words that all must occur"),
                    _asked("usage", _QUERY, "Its usage"),
                    _asked("to", _QUERY, "Part of a recipient's address"),
                    _asked("state", one_word(STATES), "Its state"),
                    _asked("since", _MOMENT, "Not before; Unix seconds"),
                    _asked("until", _MOMENT, "Before; Unix seconds"),
                    _asked("limit", _whole(1, MOST_LISTED), "How many; 100"),
                    _asked("before", _whole(0, 10**18), "Go on after `next`"),
                ),
            ),
            "delete": _operation(
                "Forget all captured mails", closed({"cleared": COUNT})
            ),
        },
        "/api/v1/mails/{id}": {
            "get": _operation(
                "The story of one mail",
                ref("Story"),
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
                ref("Content"),
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
                closed({"code": TEXT}),
                also=(404,),
                parameters=(_ID,),
            )
        },
        "/api/v1/wait": {
            "get": _operation(
                "The newest captured mail that fits, at once or when it comes",
                ref("Content"),
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
        "variables": or_null(ANYTHING),
    }
    optional = ("locale", "variables", "to")
    return {
        "/api/v1/templates": {
            "get": _operation(
                "Every template, and variables to try them with",
                closed(
                    {
                        "templates": list_of("Template"),
                        "warnings": TEXTS,
                        "samples": ANYTHING,
                    }
                ),
            )
        },
        "/api/v1/templates/render": {
            "post": _operation(
                "What a template makes of variables; nothing is sent",
                ref("Rendered"),
                also=(400, 408, 413, 415, 422),
                body=closed({**asked, "to": TEXT}, optional),
            )
        },
        "/api/v1/templates/send": {
            "post": _operation(
                "Send one through the relay",
                closed({"id": TEXT, "reply": TEXT}),
                also=(400, 408, 413, 415, 422),
                body=closed(
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
        "body": closed({"ids": ids}),
    }
    return {
        "/api/v1/queue": {
            "get": _operation(
                "What waits and what failed, the oldest first",
                closed({"mails": list_of("Job"), "next": or_null(COUNT)}),
                also=(400, 503),
                parameters=(
                    _asked("state", one_word(tuple(QUEUE_STATES)), "open"),
                    _asked("limit", _whole(1, 500), "How many; 100"),
                    _asked("after", _whole(0, 10**18), "Go on after `next`"),
                ),
            )
        },
        "/api/v1/queue/retry": {
            "post": _operation(
                "Try waiting mail now, and failed mail anew", ref("Moved"), **change
            )
        },
        "/api/v1/queue/drop": {
            "post": _operation(
                "Delete waiting and failed mail, for good", ref("Moved"), **change
            )
        },
    }


def _rest() -> Schema:
    figures = {
        "now": ref("Now"),
        "every": NUMBER,
        "points": list_of("Point"),
        "attempts": {"type": "object", "additionalProperties": COUNT},
    }
    return {
        "/api/v1/figures": {
            "get": _operation("How things stand, and the last hour", closed(figures))
        },
        "/api/v1/status": {"get": _operation("What this relay is", ref("Status"))},
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
    sent = closed({"id": TEXT, "messageId": TEXT})
    wrong = closed({"error": TEXT, "id": TEXT}, ("id",))
    body: Schema = {
        "type": "object",
        "properties": {
            "to": {"type": "string", "minLength": 1},
            "type": {"type": "string", "minLength": 1, "description": "The usage"},
            "payload": {**or_null(ANYTHING), "description": "The variables"},
            "ip": TEXT,
            "sendAt": {
                "type": ["string", "number", "null"],
                "description": "Not before then, at most 30 days ahead: RFC 3339, "
                "seconds since 1970, or an RFC 5322 date. Needs a queue.",
            },
        },
        "required": ["to", "type"],
        "additionalProperties": True,
    }
    return {
        "summary": "Send templated mail, as Logto's HTTP e-mail connector asks for it",
        "description": "Off unless intake.token is set.",
        "security": [{"token": []}],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same key and mail: the first answer again",
                "schema": {"type": "string", "minLength": 1, "maxLength": 256},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body}},
        },
        "responses": {
            "200": _answer("Sent", sent),
            "202": _answer("Queued", closed({"id": TEXT})),
            **{
                str(status): _answer(_WHAT[status], wrong)
                for status in (400, 401, 404, 408, 413, 415, 422, 429, 503)
            },
        },
    }
