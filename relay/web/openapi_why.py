"""The schemas of why a mail was refused, and of what programs make of one."""

from __future__ import annotations

from relay.web.schemas import (
    COUNT,
    FLAG,
    TEXT,
    Schema,
    closed,
    list_of,
    one_word,
)

WHY: dict[str, Schema] = {
    "Checks": {
        "size": COUNT,
        "html": COUNT,
        "clippedAt": COUNT,
        "hosts": list_of("Host"),
        "images": closed({"remote": COUNT, "embedded": COUNT, "inline": COUNT}),
        "problems": list_of("Found"),
        "problemsLeftOut": COUNT,
        "support": TEXT,
    },
    "Host": {"host": TEXT, "links": COUNT, "secure": FLAG},
    "Found": {
        "kind": one_word(("size", "image", "link", "support")),
        "level": one_word(("error", "warning")),
        "text": TEXT,
        "line": COUNT,
    },
    "Fix": {"what": TEXT, "text": TEXT},
    "Why": {
        "by": one_word(("relay", "SES")),
        "what": TEXT,
        "place": TEXT,
        "wrong": {"type": "array", "items": COUNT},
        "lacks": TEXT,
        "at": COUNT,
        "fixes": list_of("Fix"),
    },
}
