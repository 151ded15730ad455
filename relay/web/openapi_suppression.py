"""The OpenAPI document's part about who gets no mail."""

from __future__ import annotations

from relay.model.suppression import REASONS, SOURCES
from relay.web.operations import QUERY, asked, operation, whole
from relay.web.schemas import (
    COUNT,
    FLAG,
    TEXT,
    TEXTS,
    Schema,
    closed,
    list_of,
    one_word,
    or_null,
)
from relay.web.suppression import MOST_LISTED, MOST_REMOVED

SCHEMAS: dict[str, Schema] = {
    "Suppressed": {
        "address": TEXT,
        "reason": one_word(REASONS),
        "since": TEXT,
        "source": one_word(SOURCES),
        "detail": TEXT,
    },
}


def paths() -> Schema:
    """The paths below `/api/v1/suppression`."""
    addresses: Schema = {
        "type": "array",
        "items": {"type": "string", "format": "email", "maxLength": 320},
        "minItems": 1,
        "maxItems": MOST_REMOVED,
    }
    return {
        "/api/v1/suppression": {
            "get": operation(
                "Who gets no mail; `enabled`: whether the relay heeds it",
                closed(
                    {
                        "enabled": FLAG,
                        "entries": list_of("Suppressed"),
                        "next": or_null(TEXT),
                    }
                ),
                also=(400, 503),
                parameters=(
                    asked("q", QUERY, "A part of the address"),
                    asked("reason", one_word(REASONS), "Why"),
                    asked("limit", whole(1, MOST_LISTED), "How many; 100"),
                    asked("after", QUERY, "Go on after `next`"),
                ),
            )
        },
        "/api/v1/suppression/remove": {
            "post": operation(
                "Send mail to these addresses again; `missing` were not on the list",
                closed({"removed": COUNT, "missing": TEXTS}),
                also=(400, 408, 409, 413, 415, 503),
                body=closed({"addresses": addresses}),
            )
        },
    }
