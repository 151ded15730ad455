"""The OpenAPI document: the paths of the API, what each takes and gives.

The shapes are in `schemas`. The tests hold every answer against it.
"""

from __future__ import annotations

from typing import Any

from relay.web.mails import MOST_LISTED, STATES
from relay.web.operations import ID, WHAT, answer, asked, operation, whole
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
        "paths": {
            **_mails(),
            **_captured(),
            **_rules(),
            **_templates(),
            **_queue(),
            **_rest(),
        },
        "components": {
            "schemas": {name: closed(fields) for name, fields in SCHEMAS.items()},
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
            },
        },
    }


_MOMENT: Schema = {"type": "number", "minimum": 0, "maximum": 1e11}
_QUERY: Schema = {"type": "string", "maxLength": 500}


def _mails() -> Schema:
    return {
        "/api/v1/mails": {
            "get": operation(
                "The last mails, the newest first",
                closed(
                    {"mails": list_of("Summary"), "next": or_null(COUNT), "kept": COUNT}
                ),
                also=(400,),
                parameters=(
                    asked("q", _QUERY, "Words that all must occur"),
                    asked("usage", _QUERY, "Its usage"),
                    asked("to", _QUERY, "Part of a recipient's address"),
                    asked("state", one_word(STATES), "Its state"),
                    asked("since", _MOMENT, "Not before; Unix seconds"),
                    asked("until", _MOMENT, "Before; Unix seconds"),
                    asked("limit", whole(1, MOST_LISTED), "How many; 100"),
                    asked("before", whole(0, 10**18), "Go on after `next`"),
                ),
            ),
            "delete": operation(
                "Forget all captured mails", closed({"cleared": COUNT})
            ),
        },
        "/api/v1/mails/{id}": {
            "get": operation(
                "The story of one mail",
                ref("Story"),
                also=(404,),
                parameters=(ID,),
            )
        },
    }


def _captured() -> Schema:
    return {
        "/api/v1/mails/{id}/content": {
            "get": operation(
                "What is in a captured mail",
                ref("Content"),
                also=(404,),
                parameters=(ID,),
            )
        },
        "/api/v1/mails/{id}/raw": {
            "get": operation(
                "A captured mail as it would have gone to SES",
                TEXT,
                also=(404,),
                parameters=(ID,),
                media="message/rfc822",
            )
        },
        "/api/v1/mails/{id}/code": {
            "get": operation(
                "The one-time code in a captured mail",
                closed({"code": TEXT}),
                also=(404,),
                parameters=(ID,),
            )
        },
        "/api/v1/wait": {
            "get": operation(
                "The newest captured mail that fits, at once or when it comes",
                ref("Content"),
                also=(400, 404, 503),
                parameters=(
                    asked("to", _QUERY, "One of its recipients"),
                    asked("usage", _QUERY, "Its usage"),
                    asked("subject", _QUERY, "Part of its subject"),
                    asked("after", _QUERY, "The id of a mail that it came after"),
                    asked(
                        "timeout",
                        {"type": "number", "minimum": 0, "maximum": 300},
                        "Seconds to wait; 10",
                    ),
                ),
            )
        },
    }


def _rules() -> Schema:
    return {
        "/api/v1/mails/{id}/rule": {
            "get": operation(
                "A rule for a captured mail, proposed",
                ref("Proposal"),
                also=(404, 422),
                parameters=(ID,),
            ),
            "post": operation(
                "What a rule would do with a captured mail; nothing is sent",
                ref("Trial"),
                also=(400, 404, 408, 413, 415, 422),
                parameters=(ID,),
                body=closed({"rule": ANYTHING}),
            ),
        },
        "/api/v1/unclaimed": {
            "get": operation(
                "The last hour's mail that named no usage and had no rule, by kind",
                ref("Unclaimed"),
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
            "get": operation(
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
            "post": operation(
                "What a template makes of variables; nothing is sent",
                ref("Rendered"),
                also=(400, 408, 413, 415, 422),
                body=closed({**asked, "to": TEXT}, optional),
            )
        },
        "/api/v1/templates/send": {
            "post": operation(
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
            "get": operation(
                "What waits and what failed, the oldest first",
                closed({"mails": list_of("Job"), "next": or_null(COUNT)}),
                also=(400, 503),
                parameters=(
                    asked("state", one_word(tuple(QUEUE_STATES)), "open"),
                    asked("limit", whole(1, 500), "How many; 100"),
                    asked("after", whole(0, 10**18), "Go on after `next`"),
                ),
            )
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


def _rest() -> Schema:
    figures = {
        "now": ref("Now"),
        "every": NUMBER,
        "points": list_of("Point"),
        "attempts": {"type": "object", "additionalProperties": COUNT},
    }
    return {
        "/api/v1/figures": {
            "get": operation("How things stand, and the last hour", closed(figures))
        },
        "/api/v1/status": {"get": operation("What this relay is", ref("Status"))},
        "/api/v1/events": {
            "get": operation(
                "What changes, as server-sent events: mails, point, cleared",
                TEXT,
                also=(503,),
                media="text/event-stream",
            )
        },
        "/api/v1/openapi.json": {"get": operation("This document", ANYTHING)},
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
            "200": answer("Sent", sent),
            "202": answer("Queued", closed({"id": TEXT})),
            **{
                str(status): answer(WHAT[status], wrong)
                for status in (400, 401, 404, 408, 413, 415, 422, 429, 503)
            },
        },
    }
