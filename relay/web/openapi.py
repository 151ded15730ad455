"""The OpenAPI document: the paths of the API, what each takes and gives.

The shapes are in `schemas`. The tests hold every answer against it.
"""

from __future__ import annotations

from relay.observe.ring import RANGES
from relay.web import openapi_queue, openapi_suppression
from relay.web.mails import MOST_LISTED
from relay.web.openapi_captured import SHAPES, captured
from relay.web.openapi_figures import FIGURES
from relay.web.openapi_why import WHY
from relay.web.operations import (
    ID,
    QUERY,
    WHAT,
    answer,
    asked,
    operation,
    whole,
)
from relay.web.schemas import (
    ANYTHING,
    COUNT,
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
from relay.web.search import STATES


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
            **captured(),
            **_rules(),
            **_templates(),
            **openapi_queue.paths(),
            **openapi_suppression.paths(),
            **_rest(),
        },
        "components": {
            "schemas": {
                name: closed(fields)
                for name, fields in (
                    SCHEMAS
                    | FIGURES
                    | SHAPES
                    | WHY
                    | openapi_queue.SCHEMAS
                    | openapi_suppression.SCHEMAS
                ).items()
            },
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
            },
        },
    }


_MOMENT: Schema = {"type": "number", "minimum": 0, "maximum": 1e11}
_ZONE: Schema = {"type": "integer", "minimum": -1439, "maximum": 1439}


def _mails() -> Schema:
    return {
        "/api/v1/mails": {
            "get": operation(
                "The last mails, the newest first",
                ref("Listed"),
                also=(400,),
                parameters=(
                    asked(
                        "q",
                        QUERY,
                        "Words that all must occur, -word for one that must not, "
                        '"two words", usage: state: to: from: subject: since: until:',
                    ),
                    asked("zone", _ZONE, "Minutes that `q`'s times are ahead of UTC"),
                    asked("usage", QUERY, "Its usage"),
                    asked("to", QUERY, "Part of a recipient's address"),
                    asked("state", one_word(STATES), "Its state"),
                    asked("since", _MOMENT, "Not before; Unix seconds"),
                    asked("until", _MOMENT, "Before; Unix seconds"),
                    asked("limit", whole(1, MOST_LISTED), "How many; 100"),
                    asked("before", whole(0, 10**18), "Go on after `next`"),
                    asked("after", whole(0, 10**18), "Only with a higher `seq`"),
                    asked(
                        "changed",
                        whole(0, 10**18),
                        "Only what changed after this `asOf`; `gone` names those of "
                        "it that the search does not find",
                    ),
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
            ),
            "delete": operation(
                "Forget one captured mail",
                closed({"cleared": COUNT}),
                also=(404, 409),
                parameters=(ID,),
            ),
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


def _rest() -> Schema:
    return {
        "/api/v1/figures": {
            "get": operation(
                "How things stand, and up to 24 hours of points of `every` seconds",
                ref("Figures"),
                also=(400,),
                parameters=(
                    asked(
                        "range",
                        one_word(tuple(RANGES)),
                        "How far back; 1h. `whole` is all of it as one point, its "
                        "percentiles too. Of a point's `times`, which are bucket, "
                        "count, bucket, count …, bucket n ends at least * growth ** n "
                        "milliseconds: a percentile of them, or of several added up, "
                        "is off by `error` at most",
                    ),
                ),
            )
        },
        "/api/v1/status": {"get": operation("What this relay is", ref("Status"))},
        "/api/v1/events": {
            "get": operation(
                "What changes, as server-sent events: here, mails, point, cleared",
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
