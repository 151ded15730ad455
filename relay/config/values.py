"""What one value of the settings may be, and the words for one that may not."""

from __future__ import annotations

import math
import re
from datetime import date, time
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from relay.config import duration
from relay.config.network import Network, network
from relay.config.places import host_and_port, unix_path
from relay.config.table import Narrow, added, checked, limited, shown_as
from relay.content import address
from relay.content.address import mailbox
from relay.model.mail import SES_HEADERS, TAG

_FIELD_NAME = re.compile(r"[!-9;-~]+")
_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,256}")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_USED_HEADERS = frozenset(
    {
        *("from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date"),
        *("message-id", "in-reply-to", "references", "received", "return-path"),
        *("mime-version", "content-type", "content-transfer-encoding"),
        *("content-disposition", "dkim-signature"),
    }
)
LONGEST = 10**9  # seconds, some 31 years: no sum of times leaves what clocks can say
HIGHEST_RATE = 10**9
MOST_PER_RECIPIENT = 1000
_PER_RECIPIENT = re.compile(r"([0-9]{1,6})/([smhd])", re.ASCII)


def _host_port(value: Any) -> Any:  # noqa: ANN401 - pydantic gives what the file has
    if isinstance(value, str) and value:
        host_and_port(value)
    return value


def _listen_address(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value and not unix_path(value):
        host_and_port(value)
    return value


def _email(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value:
        if _CONTROL.search(value):
            raise ValueError("has a control character, such as a line end")
        try:
            address.check(mailbox(value).address)
        except ValueError as error:
            raise ValueError(
                f"must be an address, such as Acme <noreply@acme.example>: {error}"
            ) from error
    return value


def _domain(value: Any) -> Any:  # noqa: ANN401
    """A domain in lower case and ASCII; `*.` before it for all below it."""
    if not isinstance(value, str):
        return value
    wildcard, domain = ("*.", value[2:]) if value.startswith("*.") else ("", value)
    try:
        found = address.check(f"x@{domain}")
    except ValueError as error:
        raise ValueError(
            f"must be a domain, such as acme.example or *.acme.example: {error}"
        ) from error
    return wildcard + found.rpartition("@")[2].lower()


def _header_name(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        if not _FIELD_NAME.fullmatch(value):
            raise ValueError("must be a header's name, such as X-Relay-Usage")
        if value.lower() in _USED_HEADERS:
            raise ValueError("is a header with a meaning of its own; choose another")
    return value


def _client_header(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value.upper() not in SES_HEADERS:
        raise ValueError(f"must be one of {', '.join(SES_HEADERS)}")
    return value


def _is_number(value: Any) -> bool:  # noqa: ANN401
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _rate(value: Any) -> Any:  # noqa: ANN401
    if value == "auto":
        return value
    if not (_is_number(value) and 0 < value < HIGHEST_RATE):
        raise ValueError(
            'must be "auto", or a number of recipients per second above 0 and below '
            f"{HIGHEST_RATE}"
        )
    return float(value)


def _whole(lowest: int, highest: int = 10**15) -> Narrow:
    """A whole number; whatever is wrong with it, its bounds are said."""

    def check(value: Any) -> Any:  # noqa: ANN401
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole and lowest <= value <= highest):
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return value

    narrow = limited(ge=lowest, le=highest, strict=True)
    return lambda schema: checked(check)(narrow(schema))


def per_recipient(text: str) -> tuple[int, float]:
    """The mails and the seconds of "5/h". Raises ValueError."""
    match = _PER_RECIPIENT.fullmatch(text)
    if match is None or not 0 < int(match[1]) <= MOST_PER_RECIPIENT:
        raise ValueError(
            f"must be a number of mails from 1 to {MOST_PER_RECIPIENT} per s, m, h or "
            'd, such as "5/h"'
        )
    return int(match[1]), float(duration.UNITS[match[2]])


def _per_recipient(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value:
        per_recipient(value)
    return value


def _time_zone(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value not in ("", "UTC"):
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):  # the last: it is not there
            raise ValueError(
                "must be a time zone, such as Europe/Berlin or UTC; where the system "
                "has none, pip install tzdata"
            ) from None
    return value


def _share(value: Any) -> Any:  # noqa: ANN401
    if not (_is_number(value) and 0 < value <= 1):
        raise ValueError("must be a number above 0 and at most 1")
    return value


def _seconds(*, none: bool) -> Narrow:
    """Seconds as a number, or a time such as "10m"; `none`: 0 is one of them."""
    bounds = f"{'from 0' if none else 'above 0'} and at most {LONGEST}"

    def check(value: Any) -> Any:  # noqa: ANN401
        span: Any = value
        if isinstance(value, str):
            try:
                span = duration.seconds(value)
            except ValueError:
                span = None
        if not (_is_number(span) and (span > 0 or (none and span == 0))) or (
            span > LONGEST
        ):
            raise ValueError(
                f"must be a number of seconds, {bounds}, or a time in quotes: "
                '"30s", "10m", "2h", "4d"'
            )
        return float(span)

    low = "minimum" if none else "exclusiveMinimum"
    bounds_shown = {low: 0, "maximum": LONGEST, "pattern": duration.PATTERN}
    # Not anyOf: editors would show the descriptions of its members, of which is none.
    shown = shown_as({"type": ["number", "string"], **bounds_shown})
    return lambda schema: shown(checked(check)(schema))


def _pattern(regex: str, what: str) -> Narrow:
    compiled = re.compile(regex)

    def check(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and value and not compiled.fullmatch(value):
            raise ValueError(what)
        return value

    # Nothing at all is what a setting has that says nothing.
    shown = added({"pattern": f"^({regex})?$"})
    return lambda schema: shown(checked(check)(schema))


def _listed(value: Any) -> Any:  # noqa: ANN401
    """One entry is a list of one."""
    if isinstance(value, str | IPv4Network | IPv6Network):
        return (value,)
    if not isinstance(value, list | tuple):
        raise ValueError("must be a text in quotes, or a list of such")
    return value


def _one_or_more(items: dict[str, Any]) -> Narrow:
    """A list, or its one entry alone."""
    shown = shown_as({"type": ["string", "array"], "items": items})
    return lambda schema: shown(checked(_listed)(schema))


def _variables(value: Any) -> Any:  # noqa: ANN401
    """Values as JSON has them, which templates know; dates are texts."""
    if not isinstance(value, dict):
        return value
    for name in value:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(
                f"{name!r}: a variable's name has the characters A-Z a-z 0-9 _ alone"
            )
    return {name: _as_json(inner, name) for name, inner in value.items()}


def _as_json(value: Any, name: str) -> Any:  # noqa: ANN401
    match value:
        case float() if not math.isfinite(value):
            raise ValueError(f"{name}: must be a number that JSON has")
        case dict():
            return {key: _as_json(inner, name) for key, inner in value.items()}
        case list() | tuple():
            return [_as_json(inner, name) for inner in value]
        case date() | time():
            return value.isoformat()
    return value


# Strict, since a number in quotes is a mistake that shows; the environment, where
# all is text, is read by type before.
Flag = Annotated[bool, limited(strict=True)]
Seconds = Annotated[float, _seconds(none=False)]
SecondsOrNone = Annotated[float, _seconds(none=True)]
Share = Annotated[float, limited(gt=0, le=1, strict=True), checked(_share)]
Count = Annotated[int, _whole(1)]
CountOrNone = Annotated[int, _whole(0)]
SoftBounces = Annotated[int, _whole(0, 100)]
Recipients = Annotated[int, _whole(1, 999_999)]
LineLength = Annotated[int, _whole(1000)]
Rate = Annotated[
    Literal["auto"] | float,
    checked(_rate),
    shown_as(
        {
            "type": ["string", "number"],
            "pattern": "^auto$",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": HIGHEST_RATE,
        }
    ),
]
TimeZone = Annotated[str, checked(_time_zone)]
PerRecipient = Annotated[str, checked(_per_recipient)]
Name = Annotated[str, limited(min_length=1)]
Word = Annotated[
    str, _pattern(r"[^\x00-\x1f\x7f]{1,256}", "must be 1 to 256 characters of one line")
]
AccountName = Annotated[
    str,
    limited(min_length=1),
    _pattern(
        r"[A-Za-z0-9._-]{1,64}", "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"
    ),
]
NameOrNone = Annotated[
    str,
    _pattern(
        r"[A-Za-z0-9._-]{0,64}", "must be up to 64 of the characters A-Z a-z 0-9 . _ -"
    ),
]
Domain = Annotated[str, checked(_domain)]
AddressPattern = Annotated[
    str,
    limited(min_length=1),
    _pattern(
        r"[!-~]+",
        "must be ASCII without spaces, such as *@acme.example; an IDN domain is "
        "written as xn--…",
    ),
]
HostPort = Annotated[str, checked(_host_port)]
ListenAddress = Annotated[str, checked(_listen_address)]
Email = Annotated[str, checked(_email)]
AllowedNetwork = Annotated[
    Network,
    checked(network),
    shown_as(
        {
            "anyOf": [
                {"type": "string", "format": "ipv4network"},
                {"type": "string", "format": "ipv6network"},
            ]
        }
    ),
]
# What a rule looks for: one text, or several of which one is enough.
Patterns = Annotated[tuple[str, ...], _one_or_more({"type": "string"})]
AllowedNetworks = Annotated[
    tuple[AllowedNetwork, ...], _one_or_more({"type": "string"})
]
Variables = Annotated[dict[str, Any], checked(_variables)]
RuleName = Annotated[
    str, _pattern(r"[^\x00-\x1f\x7f]{1,100}", "must be 1 to 100 characters of one line")
]
HeaderName = Annotated[str, checked(_header_name)]
ClientHeader = Annotated[str, checked(_client_header)]
Arn = Annotated[str, _pattern(r"arn:[!-~]+", "must begin with arn:")]
Url = Annotated[
    str, _pattern(r"https?://[!-~]+", "must be a URL, http://… or https://…")
]
Region = Annotated[
    str, _pattern(r"[a-z0-9-]{1,64}", "must be a region, such as eu-west-1")
]
Bucket = Annotated[
    str,
    _pattern(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "must be the name of a bucket, no ARN"
    ),
]
KeyPrefix = Annotated[
    str,
    _pattern(
        r"[A-Za-z0-9_.=-][A-Za-z0-9_./=-]{0,199}",
        "must be 1 to 200 of the characters A-Z a-z 0-9 _ . = - /, none of it first",
    ),
]
SetName = Annotated[
    str,
    _pattern(
        r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 of the characters A-Z a-z 0-9 _ -"
    ),
]
TagName = Annotated[
    str, _pattern(TAG.pattern, "must be 1 to 256 of the characters A-Z a-z 0-9 _ -")
]
