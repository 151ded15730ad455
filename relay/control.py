"""The control headers of a mail: what they ask for, and the mail without them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.message import Field, Message, decoded
from relay.model import ListManagement, Refused, Reply

VARIABLES = "X-Relay-Variables"
VARIABLE = "x-relay-variable-"
LOCALE = "X-Relay-Locale"
_REMOVED = frozenset({"bcc", "resent-bcc", "return-path"})
_REMOVED_PREFIXES = ("x-relay-", "x-ses-")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = re.compile(r"[A-Za-z0-9_.-]+")
_SURROGATE = re.compile(r"\\u[Dd][89A-Fa-f]")
_LONE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 4000  # Python turns no longer text into an int, nor back


@dataclass(frozen=True, slots=True)
class Controls:
    """What the client's headers ask for; empty: nothing. Warnings name headers only."""

    usage: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    locale: str = ""
    configuration_set: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    list_management: ListManagement | None = None
    from_arn: str = ""
    feedback_arn: str = ""
    tenant: str = ""
    warnings: tuple[str, ...] = ()


def mentions(lower: bytes, usage_header: str) -> bool:
    """Tell cheaply whether a lower-case header may hold what is read or removed here.

    Most mail has nothing of it, and is not taken apart at all.
    """
    return (
        b"x-relay-" in lower
        or b"x-ses-" in lower
        or b"bcc" in lower
        or b"return-path" in lower
        or usage_header.lower().encode() in lower
    )


def removed(key: str, usage_header: str) -> bool:
    """Tell whether a field of this lower-case name never leaves the relay."""
    return (
        key.startswith(_REMOVED_PREFIXES)
        or key in _REMOVED
        or key == usage_header.lower()
    )


def read(
    message: Message, *, usage_header: str, client_headers: Collection[str]
) -> Controls:
    """Read the control headers. Raises Refused with a reply that names the header.

    `client_headers` are the X-SES-* headers that count; others are dropped unread,
    with a warning where SES would have understood them.
    """
    usages = [one for one in message.all(usage_header) if _has_colon(one)]
    if len(usages) > 1:
        raise _bad(usage_header, "given more than once")
    listed = {name.lower() for name in client_headers}
    ses: dict[str, str] = {}
    warnings = []
    for one in message.fields:
        key = one.key
        if not key.startswith("x-ses-"):
            continue
        if key in listed and _has_colon(one):
            # The first instance counts, and an empty one is none.
            if one.value and key not in ses:
                ses[key] = one.value
        elif key in _SES_HEADERS:
            warnings.append(f"{_SES_HEADERS[key]} dropped: not in ses.clientHeaders")
    return Controls(
        usage=decoded(usages[0].value).strip() if usages else "",
        variables=_variables(message),
        locale=_locale(message),
        configuration_set=_name(ses, "x-ses-configuration-set"),
        tags=_tags(ses.get("x-ses-message-tags", "")),
        list_management=_list(ses.get("x-ses-list-management-options", "")),
        from_arn=_plain(ses, "x-ses-from-arn") or _plain(ses, "x-ses-source-arn"),
        feedback_arn=_plain(ses, "x-ses-return-path-arn"),
        tenant=_name(ses, "x-ses-tenant"),
        warnings=tuple(dict.fromkeys(warnings)),
    )


# As SES' own SMTP endpoint understands them, in the spelling of its guide.
_SES_HEADERS = {
    name.lower(): name
    for name in (
        "X-SES-CONFIGURATION-SET",
        "X-SES-MESSAGE-TAGS",
        "X-SES-LIST-MANAGEMENT-OPTIONS",
        "X-SES-SOURCE-ARN",
        "X-SES-FROM-ARN",
        "X-SES-RETURN-PATH-ARN",
        "X-SES-TENANT",
    )
}


def _has_colon(one: Field) -> bool:
    """Without a colon it is no field: it is removed, and says nothing."""
    return b":" in one.raw


def _bad(header: str, what: str) -> Refused:
    return Refused(Reply(550, "6.0", f"{header}: {what}"))


def _locale(message: Message) -> str:
    first = message.first(LOCALE)
    return decoded(first.value).strip() if first else ""


def _variables(message: Message) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for one in message.all(VARIABLES):
        if text := decoded(one.value).strip():
            variables |= _object(text)
    for one in message.fields:
        if not one.key.startswith(VARIABLE) or not _has_colon(one):
            continue
        name = one.key.removeprefix(VARIABLE)
        if not _VARIABLE_NAME.fullmatch(name):
            # What comes after "=" or a space may be a value.
            usable = _SHOWN.match(name)
            shown = VARIABLE.title() + (usable[0][:60] if usable else "")
            raise _bad(
                shown, "a variable's name has the characters A-Z a-z 0-9 _ - alone"
            )
        variables[name.replace("-", "_")] = decoded(one.value)
    return variables


def _object(text: str) -> dict[str, Any]:
    try:
        value = json_value(text)
    except RecursionError:
        raise _bad(VARIABLES, "JSON that is nested too deeply") from None
    except ValueError:
        raise _bad(VARIABLES, "not valid JSON") from None
    if not isinstance(value, dict):
        raise _bad(VARIABLES, "not a JSON object")
    return value


def json_value(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    """What JSON says, as templates can take it. Raises ValueError, RecursionError."""
    value = json.loads(
        text, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
    )
    if _SURROGATE.search(text):
        # Half of a pair is no character, and no encoding takes it. Seen as text:
        # what json.dumps writes for it is the escape again.
        value = json.loads(
            _LONE.sub("\ufffd", json.dumps(value, ensure_ascii=False)),
            parse_int=_whole,
        )
    return value


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("larger than any number")
    return value


def _no_constant(name: str) -> Any:  # noqa: ANN401 - it returns nothing, ever
    raise ValueError(f"{name} is not JSON")


def _plain(ses: Mapping[str, str], key: str) -> str:
    value = ses.get(key, "")
    if not (value.isascii() and value.isprintable() and len(value) <= 2048):
        raise _bad(_SES_HEADERS[key], "not plain ASCII")
    return value


def _name(ses: Mapping[str, str], key: str) -> str:
    """A configuration set or a tenant: SES has one rule for both."""
    value = ses.get(key, "")
    if value and not _NAME.fullmatch(value):
        raise _bad(
            _SES_HEADERS[key], "a name has 1 to 64 of the characters A-Z a-z 0-9 _ -"
        )
    return value


def _tags(value: str) -> dict[str, str]:
    """Read `name=value, name=value`."""
    tags: dict[str, str] = {}
    for pair in filter(None, (piece.strip() for piece in value.split(","))):
        name, equals, tag = (part.strip() for part in pair.partition("="))
        if not (equals and _TAG.fullmatch(name) and _TAG.fullmatch(tag)):
            raise _bad(
                "X-SES-MESSAGE-TAGS",
                "tags are name=value, each 1 to 256 of the characters "
                "A-Z a-z 0-9 _ -, separated by commas",
            )
        tags.setdefault(name, tag)
    return tags


def _list(value: str) -> ListManagement | None:
    """Read `list; topic=topic`, or the list named too: `contactListName=list; …`."""
    if not value:
        return None
    contact_list = topic = ""
    for number, piece in enumerate(part.strip() for part in value.split(";")):
        name, equals, text = (part.strip() for part in piece.partition("="))
        match name.lower() if equals else "":
            case "":
                if number == 0:
                    contact_list = piece
            case "contactlistname":
                contact_list = text
            case "topic" | "topicname":
                topic = text
    if not contact_list or not (value.isascii() and value.isprintable()):
        raise _bad("X-SES-LIST-MANAGEMENT-OPTIONS", "use list or list; topic=topic")
    return ListManagement(contact_list, topic)
