"""The schemas of `/api/v1/figures`, beside those of `schemas`."""

from __future__ import annotations

from relay.model.suppression import REASONS
from relay.observe.stats import GROUPS, OUTCOMES
from relay.web.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TEXTS,
    Schema,
    closed,
    counts_of,
    list_of,
    one_word,
    or_null,
    ref,
)

# The classes of SES' answers.
ANSWERS = tuple(word for words in GROUPS.values() for word in words)

FIGURES: dict[str, Schema] = {
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
        "suppressed": or_null(COUNT),
        "suppressionRefused": or_null(counts_of(REASONS)),
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
        "seconds": NUMBER,
        "counts": counts_of(OUTCOMES),
        "answers": counts_of(ANSWERS),
        "times": {"type": "array", "items": COUNT},
        "p50": or_null(NUMBER),
        "p95": or_null(NUMBER),
        "p99": or_null(NUMBER),
        "waiting": or_null(COUNT),
        "oldest": or_null(NUMBER),
        "rate": or_null(NUMBER),
    },
    "Sentence": {
        "level": one_word(("good", "wait", "bad")),
        "text": TEXT,
        "cure": TEXT,
        "see": TEXT,
    },
    "Figures": {
        "now": ref("Now"),
        "verdict": list_of("Sentence"),
        "every": NUMBER,
        "buckets": closed(dict.fromkeys(("least", "growth", "last", "error"), NUMBER)),
        "groups": closed(dict.fromkeys(GROUPS, TEXTS)),
        "attempts": counts_of(ANSWERS),
        "points": list_of("Point"),
        "whole": ref("Point"),
    },
}
