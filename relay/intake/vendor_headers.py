"""The headers by which apps speak to other relays: read where the settings say so.

They leave the relay in no mail, listed or not: codes stand in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from relay.content.encoded_words import decoded
from relay.content.header import Field, Message
from relay.intake.control_field import (
    INDENTED_CONTROL,
    INDENTED_FIELD,
    MAX_USAGE,
    bounded,
    has_colon,
    json_object,
    value_of,
)
from relay.model.replies import bad_header

PREFIXES = ("x-mc-", "x-mailgun-", "x-pm-", "x-smtpapi")
MOST_TAGS = 20  # of one mail that are read

_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_]")


class Read(NamedTuple):
    """What the headers of one vendor, or of several, ask for."""

    usage: str = ""
    variables: Mapping[str, Any] = MappingProxyType({})
    tags: Mapping[str, str] = MappingProxyType({})


class Vendors:
    """Those whose headers count, in the order of the settings."""

    def __init__(self, names: Collection[str]) -> None:
        self._readers = [_READERS[name] for name in names]

    def read(self, message: Message) -> Read:
        """What they ask for; of two the first counts. Raises Refused."""
        usage = ""
        variables: dict[str, Any] = {}
        tags: list[str] = []
        for reader in self._readers:
            found_usage, found_variables, found_tags = reader(_Headers(message))
            usage = usage or found_usage
            variables = {**found_variables, **variables}
            tags += found_tags
        return Read(usage, variables, _named(tags))


class _Headers:
    """The vendors' headers of one mail, as texts."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def word(self, name: str) -> str:
        """The text of the first field of this name, "" where there is none."""
        texts = self.texts(name, INDENTED_FIELD)
        return bounded(texts[0], name, MAX_USAGE) if texts else ""

    def texts(
        self, name: str, no_line: re.Pattern[bytes] = INDENTED_CONTROL
    ) -> list[str]:
        fields = filter(has_colon, self._message.all(name))
        return [_text(field, name, no_line) for field in fields]

    def objects(self, name: str) -> list[dict[str, Any]]:
        """The JSON of each field of this name."""
        return [json_object(text, name) for text in self.texts(name) if text]

    def beginning(self, prefix: str) -> Iterator[tuple[str, str]]:
        """What follows `prefix` in the names that begin so, and the text."""
        for field in self._message.fields:
            if field.key.startswith(prefix.lower()) and has_colon(field):
                text = _text(field, f"{prefix}*", INDENTED_CONTROL)
                yield field.key[len(prefix) :], text


_Found = tuple[str, Mapping[str, Any], Sequence[str]]


def _mandrill(headers: _Headers) -> _Found:
    # What follows the bar is the place in Mandrill's own template.
    usage = headers.word("X-MC-Template").partition("|")[0].strip()
    objects = headers.objects("X-MC-MergeVars")
    if sum("_rcpt" in one for one in objects) > 1:  # each for another recipient
        objects = [one for one in objects if "_rcpt" not in one]
    variables: dict[str, Any] = {}
    for one in objects:
        variables |= {name: value for name, value in one.items() if name != "_rcpt"}
    tags = [tag for text in headers.texts("X-MC-Tags") for tag in text.split(",")]
    return usage, variables, tags


def _mailgun(headers: _Headers) -> _Found:
    variables: dict[str, Any] = {}
    for name in ("X-Mailgun-Variables", "X-Mailgun-Template-Variables"):
        for one in headers.objects(name):
            variables |= one
    usage = headers.word("X-Mailgun-Template-Name")
    return usage, variables, headers.texts("X-Mailgun-Tag")


def _sendgrid(headers: _Headers) -> _Found:
    variables: dict[str, Any] = {}
    tags: list[str] = []
    for one in headers.objects("X-SMTPAPI"):
        given = one.get("category", [])
        tags += map(str, given if isinstance(given, list) else [given])
        sub = one.get("sub", {})
        if not isinstance(sub, dict):
            raise bad_header("X-SMTPAPI", "sub is not a JSON object")
        for key, values in sub.items():
            name = _bare(key)
            if isinstance(values, list) and len(values) == 1 and name:
                variables[name] = values[0]
    return "", variables, tags


def _postmark(headers: _Headers) -> _Found:
    variables = {
        name: text
        for key, text in headers.beginning("X-PM-Metadata-")
        if (name := _NOT_IN_A_NAME.sub("_", key))
    }
    return "", variables, headers.texts("X-PM-Tag")


_READERS: Mapping[str, Callable[[_Headers], _Found]] = {
    "mandrill": _mandrill,
    "mailgun": _mailgun,
    "sendgrid": _sendgrid,
    "postmark": _postmark,
}
NONE = Vendors(())


def _text(field: Field, name: str, no_line: re.Pattern[bytes]) -> str:
    return decoded(value_of(field, name, no_line)).strip()


def _bare(key: str) -> str:
    """The name of `-name-`, `%name%`, `{{name}}`, as texts for SendGrid have it."""
    return _NOT_IN_A_NAME.sub("_", key).strip("_")[:MAX_USAGE]


def _named(tags: Sequence[str]) -> Mapping[str, str]:
    """Tags that are a word alone, under the names that SES wants."""
    words = dict.fromkeys(
        _NOT_IN_A_TAG.sub("_", tag.strip())[:256] for tag in tags if tag.strip()
    )
    names = ("tag", *(f"tag{number}" for number in range(2, MOST_TAGS + 1)))
    return dict(zip(names, words, strict=False))
