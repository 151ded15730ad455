"""Which mails are wanted: the words that a person types, and what a script asks for.

`usage:SignIn state:failed -to:@example.com since:10m "two words"`: all must hold, what
has a - before it must not.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from relay.observe.facts import FATES
from relay.observe.story import Entry
from relay.web import arguments
from relay.web.words import moment, unknown_word, words_of, zone_of

STATES = (
    *("captured", "sent", "queued", "sending"),
    *("failed", "refused", "superseded", "dropped", "repeated"),
)

# What may be asked for: where a mail stands, or what SES told has become of it.
WORDS = (*STATES, *FATES)

Test = Callable[[Entry], bool]


def _has(part: str, of: Callable[[Entry], str]) -> Test:
    return lambda entry: part in of(entry).lower()


def _to(part: str) -> Test:
    return lambda entry: any(part in one.lower() for one in entry.recipients)


def _state(word: str) -> Test:
    if word in FATES:
        return lambda entry: entry.fate == word
    if word not in STATES:
        raise web.HTTPBadRequest(
            reason=f"q: state:{word[:40]}: one of {', '.join(WORDS)}"
        )
    return lambda entry: entry.state == word


_NAMED: dict[str, Callable[[str], Test]] = {
    "usage": lambda word: lambda entry: entry.usage.lower() == word,
    "state": _state,
    "to": _to,
    "from": lambda part: _has(part, lambda entry: entry.sender or ""),
    "subject": lambda part: _has(part, lambda entry: entry.subject),
}


def _anywhere(part: str) -> Test:
    return _has(
        part,
        lambda entry: "\n".join(
            (
                *(entry.id, entry.sender or "", *entry.recipients, entry.subject),
                *(entry.usage, entry.peer, *entry.message_ids),
            )
        ),
    )


def _negated(test: Test) -> Test:
    return lambda entry: not test(entry)


def tests_of(text: str, *, now: float, zone: int) -> list[Test]:
    """What all must hold for the words of `text`. Raises 400, which names the word.

    `zone`: minutes that the reader's clock is ahead of UTC.
    """
    found = []
    for negative, name, value in words_of(text):
        match name:
            case "":
                test = _anywhere(value.lower())
            case "since" | "until" as which:
                test = _by_time(which, moment(which, value, now=now, zone=zone))
            case known if known in _NAMED:
                test = _NAMED[known](value.lower())
            case unknown:
                raise unknown_word(unknown, (*_NAMED, "since", "until"))
        found.append(_negated(test) if negative else test)
    return found


def _by_time(which: str, at: float) -> Test:
    # As it is shown.
    if which == "since":
        return lambda entry: round(entry.at, 3) >= at
    return lambda entry: round(entry.at, 3) < at


class Filter:
    """Which mails a request wants; what is empty asks for nothing."""

    def __init__(self, request: web.Request) -> None:
        usage = arguments.word(request, "usage")
        to = arguments.word(request, "to").lower()
        state = arguments.choice(request, "state", WORDS)
        since = arguments.number(request, "since", default=None, most=1e11)
        until = arguments.number(request, "until", default=None, most=1e11)
        words = arguments.word(request, "q")
        self._tests = tests_of(words, now=time.time(), zone=zone_of(request))
        if state:
            self._tests.append(_state(state))
        if usage:
            self._tests.append(lambda entry: entry.usage == usage)
        if to:
            self._tests.append(_to(to))
        if since is not None:
            self._tests.append(_by_time("since", since))
        if until is not None:
            self._tests.append(_by_time("until", until))

    def takes(self, entry: Entry) -> bool:
        return all(test(entry) for test in self._tests)
