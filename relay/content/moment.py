"""A moment as apps write it: RFC 3339, seconds since 1970, or the Date field's form."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

LONGEST = 100  # characters; no moment has more

_EPOCH = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_RFC_3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(\.[0-9]{1,20})?(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
# RFC 5322 section 3.3, with the zones' names of section 4.3; a comment may follow.
_RFC_5322 = re.compile(
    r"(?:[A-Za-z]{3},\s*)?[0-9]{1,2}\s+[A-Za-z]{3}\s+[0-9]{4}\s+"
    r"[0-9]{2}:[0-9]{2}(?::[0-9]{2})?\s+"
    r"(?:([+-][0-9]{4})|UTC?|GMT|[ECMP][SD]T)(?:\s*\([^()]*\))?",
    re.ASCII | re.IGNORECASE,
)


def moment(text: str) -> float:
    """The Unix seconds of a moment. Raises ValueError.

    One without an offset is none: nobody knows which hours it counts.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError("too long for a time")
    if _EPOCH.fullmatch(text):
        return float(text)
    if found := _RFC_3339.fullmatch(text):
        return _rfc_3339(*found.groups())
    if _RFC_5322.fullmatch(text):
        return _rfc_5322(text.partition("(")[0])
    raise ValueError("no time")


def shown(unix: float) -> str:
    """A moment as people and programs read it: RFC 3339, in UTC, to the second."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _rfc_3339(*parts: str | None) -> float:
    *date, fraction, zulu, sign, hours, minutes = parts
    zone = UTC if zulu else _zone(f"{sign}{hours}{minutes}")
    return _unix(*(int(part or 0) for part in date), zone=zone) + float(fraction or 0)


def _rfc_5322(text: str) -> float:
    found = parsedate_tz(text)
    if found is None or not 0 <= abs(found[9] or 0) < 86_400:
        raise ValueError("no time")
    zone = timezone(timedelta(seconds=found[9] or 0))
    return _unix(*found[:6], zone=zone)


def _zone(offset: str) -> timezone:
    """The zone of "+0100". Raises ValueError."""
    hours, minutes = int(offset[1:3]), int(offset[3:])
    if minutes > 59:
        raise ValueError("no offset")
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if offset[0] == "-" else ahead)


def _unix(*date: int, zone: timezone) -> float:
    year, month, day, hour, minute, second = date
    if second == 60:  # a leap second is the one before it, as Unix time has none
        second = 59
    return datetime(year, month, day, hour, minute, second, tzinfo=zone).timestamp()
