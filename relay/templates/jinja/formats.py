"""Filters that write dates, numbers and currencies as the mail's reader does, by Babel.

Babel is imported when the first template that has such a filter is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError

from relay.content.moment import LONGEST, moment

if TYPE_CHECKING:
    from babel import Locale

    from relay.templates.jinja.sandbox import Sandbox

NAMES = frozenset({"date", "time", "datetime", "number", "currency"})

_STYLES = frozenset({"short", "medium", "long", "full"})
_LONGEST_FORMAT = 200
_MOST_DIGITS = 100
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,10}")
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CODE = re.compile(r"[A-Za-z]{3}")


def date(env: Sandbox, value: Any, format: str = "medium") -> str:
    """The day of a moment, in the template's time zone."""
    from babel.dates import format_date

    if _is_nothing(value):
        return ""
    day = _moment(env, value)
    return format_date(day, _format(format), _locale(env.run.locale))


def clock(env: Sandbox, value: Any, format: str = "medium") -> str:
    """The time of a moment, in the template's time zone; or a time as it is."""
    from babel.dates import format_time

    if _is_nothing(value):
        return ""
    zone = _zone(env.run.timezone)
    shown: datetime | time
    if isinstance(value, str) and len(value) < LONGEST and ":" in value[:3]:
        shown = time.fromisoformat(value.strip())
    else:
        shown = _moment(env, value)
    return format_time(shown, _format(format), zone, _locale(env.run.locale))


def date_and_time(env: Sandbox, value: Any, format: str = "medium") -> str:
    """A moment in the template's time zone."""
    from babel.dates import format_datetime

    if _is_nothing(value):
        return ""
    zone, shown = _zone(env.run.timezone), _moment(env, value)
    return format_datetime(shown, _format(format), zone, _locale(env.run.locale))


def number(env: Sandbox, value: Any, format: str | None = None) -> str:
    """A number; the format is a pattern such as #,##0.00."""
    from babel.numbers import format_decimal

    if _is_nothing(value):
        return ""
    pattern = None if format is None else _format(format)
    return format_decimal(_number(value), pattern, _locale(env.run.locale))


def currency(env: Sandbox, value: Any, code: str, format: str = "standard") -> str:
    """An amount of money: of EUR, USD and so on."""
    from babel.numbers import format_currency

    if _is_nothing(value):
        return ""
    if not _CODE.fullmatch(code):
        raise ValueError("no currency")
    amount, locale = _number(value), _locale(env.run.locale)
    if format in ("standard", "accounting", "name"):
        kind: Any = format
        return format_currency(amount, code.upper(), None, locale, True, kind)
    return format_currency(amount, code.upper(), _format(format), locale, False)


def load() -> None:
    """Import what the filters need, so that no mail waits for it."""
    import babel.dates
    import babel.numbers  # noqa: F401


def wrong(name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """What is wrong with what stands behind a filter's name; "" for nothing."""
    given = dict(zip(("code", "format"), args, strict=False)) | dict(kwargs)
    if name != "currency":
        given = dict(zip(("format",), args, strict=False)) | dict(kwargs)
    code, format = given.get("code", "EUR"), given.get("format")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return f"{code!r} is no currency, such as EUR"
    if format is None or format in _STYLES:
        return ""
    try:
        _try(name, format)
    except (
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        TemplateRuntimeError,
    ):
        return f"{format!r} is no format and no pattern"
    return ""


def _try(name: str, format: Any) -> None:
    from babel.dates import format_datetime
    from babel.numbers import format_decimal

    if name in ("number", "currency"):
        if format not in ("standard", "accounting", "name"):
            format_decimal(1, _format(format), "en")
    else:
        format_datetime(datetime.now(UTC), _format(format), locale="en")


def _is_nothing(value: Any) -> bool:
    if isinstance(value, Undefined):
        return not value  # which is a use of it
    return value is None or value == ""


def _format(format: Any) -> str:
    if not isinstance(format, str) or not 0 < len(format) <= _LONGEST_FORMAT:
        raise TemplateRuntimeError("no format")
    return str.__str__(format)


def _moment(env: Sandbox, value: Any) -> datetime:
    """In the template's time zone. Raises ValueError, TypeError and OverflowError."""
    zone = _zone(env.run.timezone)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, zone)
    if not isinstance(value, str) or len(value) > LONGEST:
        raise TypeError("no moment")
    text = value.strip()
    if _DATE.fullmatch(text):  # a day is the same day everywhere
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            unix = moment(text)
        except ValueError:
            unix = moment(f"{text} +0000")
        return datetime.fromtimestamp(unix, zone)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(zone)


def _number(value: Any) -> Decimal:
    """Raises ValueError and TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("no number")
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
        raise ValueError("no number")
    return Decimal(text)


@lru_cache(64)
def _zone(name: str) -> tzinfo:
    from babel.dates import UTC as BABELS_UTC

    return BABELS_UTC if name == "UTC" else ZoneInfo(name)


@lru_cache(256)
def _locale(tag: str) -> Locale:
    """The locale, what is left of it that is known, or English."""
    from babel import Locale, UnknownLocaleError

    parts = tag.replace("_", "-").split("-") if _TAG.fullmatch(tag) else []
    while parts:
        try:
            return Locale.parse("_".join(parts))
        except (UnknownLocaleError, ValueError, TypeError):
            parts.pop()
    return Locale("en")
