"""The words of a search as people type them, whatever is searched.

`usage:SignIn -to:@example.com since:10m "two words"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone

from aiohttp import web

from relay.web import arguments

A_DAY = 1440  # minutes

_TERM = re.compile(r'(-?)(?:([A-Za-z]+):(?=[^\s/]))?(?:"([^"]*)(?:"|$)|(\S+))')
ZONE = "^-?[0-9]{1,4}$"  # as its schema says it
_MINUTES = re.compile(r"-?[0-9]{1,4}")
_SPAN = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def words_of(text: str) -> Iterator[tuple[bool, str, str]]:
    """Each word: whether a - stands before it, the name before its colon, its value."""
    for negative, name, quoted, bare in _TERM.findall(text):
        if value := quoted or bare:
            yield bool(negative), name.lower(), value


def unknown_word(name: str, known: Iterable[str]) -> web.HTTPBadRequest:
    """What is said of a name before a colon that means nothing."""
    words = ", ".join(f"{one}:" for one in known)
    reason = f"q: {name[:40]}: is none of {words}; in quotes it is text"
    return web.HTTPBadRequest(reason=reason)


def moment(name: str, text: str, *, now: float, zone: int) -> float:
    """`10m` ago, a date or a time of day there. Raises 400.

    `zone`: minutes that the reader's clock is ahead of UTC.
    """
    if span := _SPAN.fullmatch(text):
        return now - int(span[1]) * _UNITS[span[2]]
    try:
        found = datetime.fromisoformat(text.upper())
        if found.tzinfo is None:
            found = found.replace(tzinfo=timezone(timedelta(minutes=zone)))
        return found.timestamp()
    except (ValueError, OverflowError):
        reason = f"q: {name}:{text[:40]}: such as 10m, 2h, 7d, 2026-11-24 or "
        raise web.HTTPBadRequest(reason=f"{reason}2026-11-24T10:30") from None


def zone_of(request: web.Request) -> int:
    """How many minutes the reader's clock is ahead of UTC. Raises 400."""
    text = arguments.given(request, "zone")
    return zone_from("0" if text is None else text)


def zone_from(text: str) -> int:
    """The same, from its text."""
    if not _MINUTES.fullmatch(text) or abs(int(text)) >= A_DAY:
        raise web.HTTPBadRequest(
            reason="zone: minutes ahead of UTC, such as 60 or -300"
        )
    return int(text)
