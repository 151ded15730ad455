"""The X-SES-* headers of a mail: what SES' own SMTP endpoint would make of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from relay.content.header import Field
from relay.intake.control_field import INDENTED_FIELD, bounded, has_colon, value_of
from relay.model.mail import SES_HEADERS, TAG, ListManagement
from relay.model.replies import bad_header
from relay.model.slip import Slip

# What is remembered of a mail after its end is bounded in length and in number.
MAX_ARN = 2048
MAX_TAGS = 50
MAX_LIST_NAME = 256

_SES_HEADERS = {name.lower(): name for name in SES_HEADERS}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Asked(NamedTuple):
    """What they ask for; empty: nothing."""

    configuration_set: str = ""
    tags: Mapping[str, str] = MappingProxyType({})
    list_management: ListManagement | None = None
    from_arn: str = ""
    feedback_arn: str = ""
    tenant: str = ""
    slips: tuple[Slip, ...] = ()


def asked(
    fields: Iterable[tuple[str, Field]], client_headers: Collection[str]
) -> Asked:
    """Read the fields, which come with their lower-case names.

    Raises Refused with a reply that names the header.
    """
    listed = {name.lower() for name in client_headers}
    ses: dict[str, str] = {}
    slips = []
    for key, field in fields:
        if key not in _SES_HEADERS:
            continue
        if key in listed and has_colon(field):
            # The first instance counts, and an empty one is none.
            if field.value and key not in ses:
                ses[key] = value_of(field, _SES_HEADERS[key], INDENTED_FIELD)
        else:
            text = f"{_SES_HEADERS[key]} dropped: not in ses.clientHeaders"
            slips.append(Slip("header_not_listed", text))
    return Asked(
        configuration_set=_name(ses, "x-ses-configuration-set"),
        tags=_tags(ses.get("x-ses-message-tags", "")),
        list_management=_list(ses.get("x-ses-list-management-options", "")),
        from_arn=_plain(ses, "x-ses-from-arn") or _plain(ses, "x-ses-source-arn"),
        feedback_arn=_plain(ses, "x-ses-return-path-arn"),
        tenant=_name(ses, "x-ses-tenant"),
        slips=tuple(dict.fromkeys(slips)),
    )


def _plain(ses: Mapping[str, str], key: str) -> str:
    value = ses.get(key, "")
    if not (value.isascii() and value.isprintable()):
        raise bad_header(_SES_HEADERS[key], "not plain ASCII")
    return bounded(value, _SES_HEADERS[key], MAX_ARN)


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
        if len(tags) > MAX_TAGS:
            raise bad_header("X-SES-MESSAGE-TAGS", f"more than {MAX_TAGS} tags")
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
    for name in (contact_list, topic):
        bounded(name, "X-SES-LIST-MANAGEMENT-OPTIONS", MAX_LIST_NAME)
    return ListManagement(contact_list, topic)
