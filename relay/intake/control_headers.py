"""The control headers of a mail: what they ask for, and the mail without them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from relay.content.encoded_words import decoded
from relay.content.header import Field, Message
from relay.intake import idempotency, send_at, vendor_headers
from relay.intake.control_field import (
    INDENTED_CONTROL,
    INDENTED_FIELD,
    MAX_USAGE,
    bounded,
    has_colon,
    json_object,
    value_of,
)
from relay.intake.ses_headers import asked
from relay.intake.slips import unknown_headers
from relay.intake.vendor_headers import Vendors
from relay.model.mail import ListManagement
from relay.model.replies import bad_header
from relay.model.slip import Slip

# What is remembered of a mail after its end is bounded in length and in number.
MAX_LOCALE = MAX_VARIABLE_NAME = 256

_VARIABLES = "x-relay-variables"
_VARIABLE = "x-relay-variable-"
_LOCALE = "x-relay-locale"
_KEY = idempotency.HEADER.lower()
_SEND_AT = send_at.HEADER.lower()
_REMOVED = frozenset({"bcc", "resent-bcc", "return-path"})
_REMOVED_PREFIXES = ("x-relay-", "x-ses-", *vendor_headers.PREFIXES)
_ANY_CONTROL = re.compile(rb"x-(?:relay-|ses-|mc-|mailgun-|pm-|smtpapi)").search
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = re.compile(r"[A-Za-z0-9_.-]+")


class Controls(NamedTuple):
    """What the client's headers ask for; empty: nothing.

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
    slips: tuple[Slip, ...] = ()
    send_at: float | None = None  # Unix seconds
    key: str = ""

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
    takes longer: before it looks, it makes and drops an exception. Many beginnings
    are sooner found by one pattern.
    """
    return (
        _ANY_CONTROL(lower) is not None
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
    message: Message,
    *,
    usage_header: str,
    client_headers: Collection[str],
    vendors: Vendors = vendor_headers.NONE,
) -> Controls:
    """Read the control headers. Raises Refused with a reply that names the header.

    `client_headers` are the X-SES-* headers that count; others are dropped unread,
    with a warning where SES would have understood them. What `vendors` read counts
    where the relay's own headers say nothing.
    """
    name = usage_header.lower()
    usages: list[Field] = []
    jsons: list[Field] = []
    locales: list[Field] = []
    times: list[Field] = []
    keys: list[Field] = []
    single: list[tuple[str, Field]] = []
    unknown: list[str] = []
    ses = False
    for field in message.fields:
        key = field.name.lower()
        if key == name and has_colon(field):
            usages.append(field)
        if key == _VARIABLES:
            jsons.append(field)
        elif key == _LOCALE:
            locales.append(field)
        elif key == _SEND_AT and has_colon(field):
            times.append(field)
        elif key == _KEY and has_colon(field):
            keys.append(field)
        elif key.startswith(_VARIABLE):
            single.append((key, field))
        elif key.startswith("x-ses-"):
            ses = True
        elif key.startswith("x-relay-") and key != name and has_colon(field):
            unknown.append(field.name)
    if len(usages) > 1:
        raise bad_header(usage_header, "given more than once")
    controls = Controls(
        _word(usages, usage_header, MAX_USAGE),
        _variables(jsons, single),
        _word(locales, "X-Relay-Locale", MAX_LOCALE),
    )
    if unknown:
        controls = controls._replace(slips=unknown_headers(unknown, usage_header))
    if times or keys:
        controls = controls._replace(
            send_at=send_at.asked(times), key=idempotency.asked(keys)
        )
    if vendors is not vendor_headers.NONE:
        theirs = vendors.read(message)
        controls = controls._replace(
            usage=controls.usage or theirs.usage,
            variables={**theirs.variables, **controls.variables},
            tags=theirs.tags,
        )
    if not ses:
        return controls
    return with_ses_headers(controls, message.fields, client_headers)


def with_ses_headers(
    controls: Controls, fields: Iterable[Field], client_headers: Collection[str]
) -> Controls:
    """What the X-SES-* headers among `fields` ask for, over what is asked already.

    Raises Refused with a reply that names the header.
    """
    found = asked(((field.name.lower(), field) for field in fields), client_headers)
    said = {name: value for name, value in found._asdict().items() if value}
    if found.tags:
        said["tags"] = {**controls.tags, **found.tags}
    others = [slip for slip in controls.slips if slip.kind != "header_not_listed"]
    said["slips"] = (*others, *found.slips)
    return controls._replace(**said)


def _word(fields: Sequence[Field], header: str, most: int) -> str:
    """The text of the first field, "" where there is none."""
    if not fields:
        return ""
    text = decoded(value_of(fields[0], header, INDENTED_FIELD)).strip()
    return bounded(text, header, most)


def _variables(
    jsons: Iterable[Field], single: Iterable[tuple[str, Field]]
) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for field in jsons:
        value = value_of(field, "X-Relay-Variables", INDENTED_CONTROL)
        if text := decoded(value).strip():
            variables |= json_object(text, "X-Relay-Variables")
    for key, field in single:
        if not has_colon(field):
            continue
        name = key.removeprefix(_VARIABLE)
        # What comes after "=" or a space may be a value.
        usable = _SHOWN.match(name)
        shown = _VARIABLE.title() + (usable[0][:60] if usable else "")
        if not _VARIABLE_NAME.fullmatch(name):
            raise bad_header(
                shown, "a variable's name has the characters A-Z a-z 0-9 _ - alone"
            )
        if len(name) > MAX_VARIABLE_NAME:
            raise bad_header(
                shown, f"a variable's name has at most {MAX_VARIABLE_NAME} characters"
            )
        value = value_of(field, shown, INDENTED_CONTROL)
        variables[name.replace("-", "_")] = decoded(value)
    return variables
