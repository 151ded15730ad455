"""Which mail of the queue is wanted: by its state, its group, and words that one types.

The words are those of the mails' search, as far as the spool knows of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from relay.model.cause import LATER, NAMES
from relay.model.mail import DEFAULT, Priority
from relay.queue.selection import Selection, Term
from relay.web import arguments
from relay.web.words import moment, unknown_word, words_of, zone_from

# What a list may ask for: waiting mail, mail that was given up, both and what ended.
STATES = {
    "open": ("queued", "sending"),
    "queued": ("queued",),
    "sending": ("sending",),
    "failed": ("failed",),
    "all": (),
}
# Where a list goes on: its `next`, and nothing else.
PLACE = "^[0-9A-Za-z.]{1,64}$"
_OF_A_JOB = ("queued", "sending", "sent", "failed", "superseded")
_PRIORITIES = {one.name.lower(): int(one) for one in Priority}
_TEXTS = ("to", "from", "usage")
KNOWN = (*_TEXTS, "account", "state", "priority", "since", "until")


def asked_of(request: web.Request) -> dict[str, str]:
    """What the query asks for."""
    names = ("state", "cause", "account", "q", "zone")
    return {
        name: arguments.word(request, name) for name in names if name in request.query
    }


def place_of(request: web.Request) -> str:
    """Where the list is to go on, "" at its beginning. Raises 400."""
    place = arguments.given(request, "after")
    if place is not None and not re.fullmatch(PLACE, place):
        raise web.HTTPBadRequest(reason="after: the next of the answer before")
    return place or ""


def selection_of(asked: Mapping[str, str]) -> Selection:
    """The jobs that are meant. Raises 400, which names what is wrong."""
    state, cause = asked.get("state", "open"), asked.get("cause", "")
    if state not in STATES:
        raise web.HTTPBadRequest(reason=f"state: one of {', '.join(STATES)}")
    if "cause" in asked and cause not in NAMES:
        raise web.HTTPBadRequest(reason=f"cause: one of {', '.join(NAMES)}")
    zone = zone_from(asked.get("zone", "0"))
    terms = _terms(asked.get("q", ""), now=time.time(), zone=zone)
    selection = Selection(states=STATES[state], cause=cause, terms=terms)
    if "account" in asked:
        selection = replace(selection, account=_account(asked["account"]))
    return selection


def to_retry(selection: Selection) -> Selection:
    """Mail that is to be sent later is no trouble: only who names it means it."""
    return replace(selection, later=selection.cause == LATER)


def _account(name: str) -> str:
    return "" if name == DEFAULT else name


def _terms(text: str, *, now: float, zone: int) -> tuple[Term, ...]:
    return tuple(
        Term(*_meant(name, value, now, zone), negative)
        for negative, name, value in words_of(text)
    )


def _meant(name: str, value: str, now: float, zone: int) -> tuple[str, str | float]:
    word = value.lower()
    match name:
        case "":
            return "any", word
        case "since" | "until":
            return name, moment(name, value, now=now, zone=zone)
        case "priority":
            return name, _PRIORITIES[_among(name, word, tuple(_PRIORITIES))]
        case "state":
            return name, _among(name, word, _OF_A_JOB)
        case "account":
            return name, _account(word)
        case "subject":
            raise web.HTTPBadRequest(
                reason="q: subject: the queue knows no subjects; Mails can search them"
            )
        case known if known in _TEXTS:
            return known, word
    raise unknown_word(name, KNOWN)


def _among(name: str, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise web.HTTPBadRequest(
            reason=f"q: {name}:{word[:40]}: one of {', '.join(words)}"
        )
    return word
