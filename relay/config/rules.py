"""What the rules say, held against the rest of the settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from relay.config.explain import Given, Location
from relay.config.models import Config, Rule
from relay.model.mail import TAG

CONDITIONS = (
    *("listener", "user", "client", "sender", "from_", "recipient"),
    *("subject", "body", "header"),
)


WHAT_TAGS_ARE = "names and values are 1 to 256 of the characters A-Z a-z 0-9 _ -"
MAX_WORD = 900  # characters; a line of a mail has at most 998

_FIELD_NAME = re.compile(r"[!-9;-~]{1,100}")
_NOT_TO_ADD = frozenset(
    {
        *("sender", "bcc", "return-path", "received", "mime-version"),
        *("dkim-signature", "domainkey-signature", "authentication-results"),
    }
)
_NOT_TO_ADD_PREFIXES = ("content-", "resent-", "arc-", "x-relay-", "x-ses-")


def name_of(rule: Rule, number: int) -> str:
    """What it is called; `number` counts from 0."""
    return rule.name or f"rule {number + 1}"


def mistakes(config: Config) -> Iterator[tuple[Location, str]]:
    """What names something that is not there, or is there twice."""
    listeners = [listener.name for listener in config.listeners]
    users = [user.name for user in config.users]
    names = [name_of(rule, number) for number, rule in enumerate(config.rules)]
    for number, rule in enumerate(config.rules):
        here = ("rules", number)
        name = names[number]
        if names.index(name) != number:
            yield (*here, "name"), f'= "{name}": given twice'
        for setting, given, known in (
            ("listener", rule.listener, listeners),
            ("user", rule.user, users),
        ):
            yield from (
                ((*here, setting), f'= "{one}": {_absent(name, setting, known)}')
                for one in given
                if one not in known
            )
        for header in rule.header:
            if not _FIELD_NAME.fullmatch(header):
                yield (*here, "header", Given(header)), "is no header's name"
        for table, fields in (("header", [*rule.header]), ("headers", [*rule.headers])):
            for header in _twice(fields):
                yield (*here, table, Given(header)), "is given twice"
        if bad := next((x for x in rule.tags.items() if not is_tag(*x)), None):
            yield (*here, "tags"), f"has {bad[0]!r}: {WHAT_TAGS_ARE}"
        for header, value in rule.headers.items():
            if wrong := _wrong_header(header, value):
                yield (*here, "headers", Given(header)), wrong


def _twice(names: Collection[str]) -> Iterator[str]:
    """Those that are, but for their case, one that stands before."""
    known: set[str] = set()
    for name in names:
        if name.lower() in known:
            yield name
        known.add(name.lower())


def _absent(rule: str, what: str, known: Collection[str]) -> str:
    return (
        f'rule "{rule}": there is no {what} of this name; known: '
        f"{', '.join(known) or 'none'}"
    )


def is_tag(name: str, value: str) -> bool:
    """Tell whether SES takes it as one of EmailTags."""
    return bool(TAG.fullmatch(name) and TAG.fullmatch(value))


def _wrong_header(name: str, value: str) -> str:
    """Why no mail can be given this field, "" where it can."""
    key = name.lower()
    if key == "from":
        return "is what setFrom is for"
    if not _FIELD_NAME.fullmatch(name):
        return "is no header's name"
    if key in _NOT_TO_ADD or key.startswith(_NOT_TO_ADD_PREFIXES):
        return "is a header that the relay or a mail server makes; leave it out"
    if not value.strip() or not value.isprintable():
        return "must be a text of one line, and not empty"
    if any(len(word) > MAX_WORD for word in value.split(" ")):
        return f"has more than {MAX_WORD} characters without a space"
    return ""


def warnings(config: Config) -> Iterator[str]:
    """What has no effect."""
    last = len(config.rules) - 1
    for number, rule in enumerate(config.rules):
        place = f'rules[{number}] "{name_of(rule, number)}"'
        if number < last and not any(getattr(rule, name) for name in CONDITIONS):
            yield f"{place}: has no condition, so no rule below it ever holds"
        if rule.extract and rule.variables_from != "text":
            yield f'{place}: extract counts with variablesFrom = "text" alone'
        if rule.variables_from == "text" and not rule.extract:
            yield f'{place}: variablesFrom = "text" finds nothing without extract'
        if "not_found" in rule.given and not rule.variables_from:
            yield f"{place}: notFound has no effect without variablesFrom"
        if "keep_from" in rule.given and not rule.set_from:
            yield f"{place}: keepFrom has no effect without setFrom"
