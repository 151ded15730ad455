"""The control headers of a mail: what they ask for, and the mail without them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from relay.content.encoded_words import decoded
from relay.content.header import Field, Message
from relay.model.mail import SES_HEADERS, TAG, ListManagement
from relay.model.replies import bad_header

_VARIABLES = "x-relay-variables"
_VARIABLE = "x-relay-variable-"
_LOCALE = "x-relay-locale"
_REMOVED = frozenset({"bcc", "resent-bcc", "return-path"})
_REMOVED_PREFIXES = ("x-relay-", "x-ses-")
_SES_HEADERS = {name.lower(): name for name in SES_HEADERS}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = re.compile(r"[A-Za-z0-9_.-]+")
_SURROGATE = re.compile(r"\\u[Dd][89A-Fa-f]")
_LONE = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 100  # of JSON; Python's own limit is another with each version
_MAX_DIGITS = 4000  # Python turns no longer text into an int, nor back


class Controls(NamedTuple):
    """What the client's headers ask for; empty: nothing. Warnings name headers only.

    A named tuple: a frozen dataclass of ten fields takes longer to make.
    """

    usage: str = ""
    variables: Mapping[str, Any] = MappingProxyType({})
    locale: str = ""
    configuration_set: str = ""
    tags: Mapping[str, str] = MappingProxyType({})
    list_management: ListManagement | None = None
    from_arn: str = ""
    feedback_arn: str = ""
    tenant: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def about_ses(self) -> bool:
        """Whether any of it is for the SES call."""
        return bool(
            self.configuration_set
            or self.tags
            or self.list_management
            or self.from_arn
            or self.feedback_arn
            or self.tenant
        )


def mentions(lower: bytes, usage_header: str) -> bool:
    """Tell cheaply whether a lower-case header may hold what is read or removed here.

    Most mail has nothing of it, and is not taken apart at all. `find`, because `in`
    takes longer: before it looks, it makes and drops an exception.
    """
    return (
        lower.find(b"x-relay-") >= 0
        or lower.find(b"x-ses-") >= 0
        or lower.find(b"bcc") >= 0
        or lower.find(b"return-path") >= 0
        or lower.find(usage_header.lower().encode()) >= 0
    )


def taken_out(
    fields: Iterable[Field], usage_header: str
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """The fields that leave the relay, and those that never do: `read` wants these."""
    name = usage_header.lower()
    kept: list[Field] = []
    out: list[Field] = []
    for field in fields:
        key = field.name.lower()
        if key.startswith(_REMOVED_PREFIXES) or key in _REMOVED or key == name:
            out.append(field)
        else:
            kept.append(field)
    return tuple(kept), tuple(out)


def read(
    message: Message, *, usage_header: str, client_headers: Collection[str]
) -> Controls:
    """Read the control headers. Raises Refused with a reply that names the header.

    `client_headers` are the X-SES-* headers that count; others are dropped unread,
    with a warning where SES would have understood them.
    """
    name = usage_header.lower()
    usages: list[Field] = []
    jsons: list[Field] = []
    locales: list[Field] = []
    single: list[tuple[str, Field]] = []
    ses: list[tuple[str, Field]] = []
    for field in message.fields:
        key = field.name.lower()
        if key == name and _has_colon(field):
            usages.append(field)
        if key == _VARIABLES:
            jsons.append(field)
        elif key == _LOCALE:
            locales.append(field)
        elif key.startswith(_VARIABLE):
            single.append((key, field))
        elif key.startswith("x-ses-"):
            ses.append((key, field))
    if len(usages) > 1:
        raise bad_header(usage_header, "given more than once")
    controls = Controls(
        decoded(usages[0].value).strip() if usages else "",
        _variables(jsons, single),
        decoded(locales[0].value).strip() if locales else "",
    )
    return _with_ses(controls, ses, client_headers) if ses else controls


def _with_ses(
    controls: Controls,
    fields: Iterable[tuple[str, Field]],
    client_headers: Collection[str],
) -> Controls:
    """Put in what the X-SES-* headers say."""
    listed = {name.lower() for name in client_headers}
    ses: dict[str, str] = {}
    warnings = []
    for key, field in fields:
        if key in listed and _has_colon(field):
            # The first instance counts, and an empty one is none.
            if field.value and key not in ses:
                ses[key] = field.value
        elif key in _SES_HEADERS:
            warnings.append(f"{_SES_HEADERS[key]} dropped: not in ses.clientHeaders")
    return controls._replace(
        configuration_set=_name(ses, "x-ses-configuration-set"),
        tags=_tags(ses.get("x-ses-message-tags", "")),
        list_management=_list(ses.get("x-ses-list-management-options", "")),
        from_arn=_plain(ses, "x-ses-from-arn") or _plain(ses, "x-ses-source-arn"),
        feedback_arn=_plain(ses, "x-ses-return-path-arn"),
        tenant=_name(ses, "x-ses-tenant"),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _has_colon(field: Field) -> bool:
    """Without a colon it is no field: it is removed, and says nothing."""
    return field.raw.find(b":") >= 0


def _variables(
    jsons: Iterable[Field], single: Iterable[tuple[str, Field]]
) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for field in jsons:
        if text := decoded(field.value).strip():
            variables |= _object(text)
    for key, field in single:
        if not _has_colon(field):
            continue
        name = key.removeprefix(_VARIABLE)
        if not _VARIABLE_NAME.fullmatch(name):
            # What comes after "=" or a space may be a value.
            usable = _SHOWN.match(name)
            shown = _VARIABLE.title() + (usable[0][:60] if usable else "")
            raise bad_header(
                shown, "a variable's name has the characters A-Z a-z 0-9 _ - alone"
            )
        variables[name.replace("-", "_")] = decoded(field.value)
    return variables


def _object(text: str) -> dict[str, Any]:
    try:
        value = json_value(text)
    except RecursionError:
        raise bad_header(
            "X-Relay-Variables", "JSON that is nested too deeply"
        ) from None
    except json.JSONDecodeError as error:  # its text may quote the value
        raise bad_header(
            "X-Relay-Variables", f"not valid JSON at character {error.pos + 1}"
        ) from None
    except ValueError:
        raise bad_header("X-Relay-Variables", "not valid JSON") from None
    if not isinstance(value, dict):
        raise bad_header("X-Relay-Variables", "not a JSON object")
    return value


def json_value(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    """What JSON says, as templates can take it. Raises ValueError, RecursionError."""
    text = text.strip(" \t\r\n")
    value, end = _JSON.raw_decode(text)
    if end < len(text):
        at = len(text) - len(text[end:].lstrip(" \t\r\n"))
        raise json.JSONDecodeError("more than one value", text, at)
    # So many brackets are rare, and most of them stand side by side.
    if text.count("{") + text.count("[") > _MAX_DEPTH and _depth(value) > _MAX_DEPTH:
        raise RecursionError("nested too deeply")
    if "\\u" in text and _SURROGATE.search(text):
        # Half of a pair is no character, and no encoding takes it. Seen as text:
        # what json.dumps writes for it is the escape again.
        value = json.loads(
            _LONE.sub("\ufffd", json.dumps(value, ensure_ascii=False)),
            parse_int=_whole,
        )
    return value


def _depth(value: object) -> int:
    """How many lists and objects are inside each other, at most."""
    depth = 0
    level = [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("larger than any number")
    return value


def _no_constant(name: str) -> Any:  # noqa: ANN401 - it returns nothing, ever
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads would make such a decoder for each text.
_JSON = json.JSONDecoder(
    parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
)


def _plain(ses: Mapping[str, str], key: str) -> str:
    value = ses.get(key, "")
    if not (value.isascii() and value.isprintable() and len(value) <= 2048):
        raise bad_header(_SES_HEADERS[key], "not plain ASCII")
    return value


def _name(ses: Mapping[str, str], key: str) -> str:
    """A configuration set or a tenant: SES has one rule for both."""
    value = ses.get(key, "")
    if value and not _NAME.fullmatch(value):
        raise bad_header(
            _SES_HEADERS[key], "a name has 1 to 64 of the characters A-Z a-z 0-9 _ -"
        )
    return value


def _tags(value: str) -> dict[str, str]:
    """Read `name=value, name=value`."""
    tags: dict[str, str] = {}
    for pair in filter(None, (piece.strip() for piece in value.split(","))):
        name, equals, tag = (part.strip() for part in pair.partition("="))
        if not (equals and TAG.fullmatch(name) and TAG.fullmatch(tag)):
            raise bad_header(
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
        raise bad_header(
            "X-SES-LIST-MANAGEMENT-OPTIONS", "use list or list; topic=topic"
        )
    return ListManagement(contact_list, topic)
