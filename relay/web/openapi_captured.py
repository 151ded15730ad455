"""The paths of the OpenAPI document that are about captured mail and its content."""

from __future__ import annotations

from relay.web.operations import ID, NUMBER_OF_FILE, QUERY, asked, operation
from relay.web.schemas import (
    COUNT,
    FLAG,
    NUMBER,
    PAIR,
    TEXT,
    TEXTS,
    Schema,
    closed,
    list_of,
    one_word,
    or_null,
    ref,
)

# What its answers are made of, by name.
SHAPES: dict[str, Schema] = {
    "Attachment": {
        "name": TEXT,
        "type": TEXT,
        "size": COUNT,
        "shown": one_word(("image", "text", "")),
    },
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
        "original": FLAG,
    },
    "Original": {
        "subject": TEXT,
        "text": TEXT,
        "html": or_null(TEXT),
        "headers": {"type": "array", "items": PAIR},
        "remote": COUNT,
    },
}


def captured() -> Schema:
    """What of a captured mail can be asked for."""
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
        "/api/v1/mails/{id}/original": {
            "get": operation(
                "What the client wrote, where a template made the mail anew",
                ref("Original"),
                also=(404,),
                parameters=(ID,),
            )
        },
        "/api/v1/mails/{id}/html": {
            "get": operation(
                "The HTML of a captured mail as it is in it, as plain text",
                TEXT,
                also=(404,),
                parameters=(ID,),
                media="text/plain",
            )
        },
        "/api/v1/mails/{id}/attachments/{number}": {
            "get": operation(
                "A file that came with a captured mail",
                TEXT,
                also=(404,),
                parameters=(ID, NUMBER_OF_FILE),
                media="*/*",
            )
        },
        "/api/v1/mails/{id}/checks": {
            "get": operation(
                "What mail programs make of a captured mail",
                ref("Checks"),
                also=(404,),
                parameters=(ID,),
            )
        },
        "/api/v1/mails/{id}/forward": {
            "post": operation(
                "Send a mail that a guard keeps to an address, through the relay",
                closed({"id": TEXT, "reply": TEXT}),
                also=(400, 404, 408, 409, 413, 415, 422),
                parameters=(ID,),
                body=closed({"to": {"type": "string", "minLength": 1}}),
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
                    asked("to", QUERY, "One of its recipients"),
                    asked("usage", QUERY, "Its usage"),
                    asked("subject", QUERY, "Part of its subject"),
                    asked("after", QUERY, "The id of a mail that it came after"),
                    asked(
                        "timeout",
                        {"type": "number", "minimum": 0, "maximum": 300},
                        "Seconds to wait; 10",
                    ),
                ),
            )
        },
    }
