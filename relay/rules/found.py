"""What a rule finds in a mail: variables by its patterns, or in the mail's JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from relay.content.html_to_text import from_html
from relay.content.json_value import json_value
from relay.content.searched_text import MOST_TEXT, beginning
from relay.rules.facts import Facts
from relay.rules.pattern import BadPattern, expression

MAX_WORD = 256  # characters of a usage or a locale in JSON

_GROUP = re.compile(r"[A-Za-z0-9_]+")
_JSON_TYPES = ("text/plain", "text/html", "application/json")


class Found(NamedTuple):
    """What was found; `missing` names the patterns, or `JSON`, that found nothing."""

    variables: Mapping[str, Any] = MappingProxyType({})
    usage: str = ""
    locale: str = ""
    missing: tuple[str, ...] = ()


NOTHING = Found()
NO_JSON = Found(missing=("JSON",))

Find = Callable[[Facts], Found]


class _Extract(NamedTuple):
    source: str
    search: Callable[[bytes], Any]
    groups: Sequence[tuple[str, int]]


def by_patterns(sources: Sequence[str], place: str, errors: list[str]) -> Find:
    """Find variables by the named groups of expressions, each searched once."""
    extracts = []
    for number, source in enumerate(sources):
        where = f"{place}: extract[{number}] = {source!r}"
        try:
            compiled = expression(source)
        except BadPattern as error:
            errors.append(f"{where}: is no expression of RE2: {error}")
            continue
        groups = [(name.decode(), at) for name, at in compiled.groupindex.items()]
        if not groups:
            errors.append(
                f"{where}: has no named group, which would be the variable; such as "
                r"'code is (?P<code>\d{6})'"
            )
        errors += [
            f"{where}: group {name}: a variable's name has the characters "
            "A-Z a-z 0-9 _ alone"
            for name, _ in groups
            if not _GROUP.fullmatch(name)
        ]
        extracts.append(_Extract(source, compiled.search, groups))

    def find(facts: Facts) -> Found:
        variables: dict[str, str] = {}
        missing: list[str] = []
        [text] = facts.bodies()
        for extract in extracts:
            match = extract.search(text.utf8)
            if match is None:
                missing.append(extract.source)
                continue
            for name, at in extract.groups:
                if (value := match[at]) is not None:
                    variables.setdefault(name, value.decode("utf-8", "replace"))
        return Found(variables, missing=tuple(missing))

    return find


def in_json(facts: Facts) -> Found:
    """Find them in the first part that is a JSON object; usage and locale apart."""
    for part in facts.original.leaves:
        if part.type in _JSON_TYPES:
            text = beginning(part)
            found = _object(text)
            if found is None and part.type == "text/html" and "{" in text:
                found = _object(from_html(text))
            if found is not None:
                return _sorted(found)
    return NO_JSON


def nothing(_: Facts) -> Found:
    """Of a rule that looks for nothing."""
    return NOTHING


def find_by(
    variables_from: str, extract: Sequence[str], place: str, errors: list[str]
) -> Find:
    """How a rule finds variables, by its settings; mistakes in them to `errors`."""
    # Compiled in any case: a mistake shows before somebody turns it on.
    find = by_patterns(extract, place, errors)
    return {"text": find, "json": in_json}.get(variables_from, nothing)


def _object(text: str) -> dict[str, Any] | None:
    """The text's JSON object, or None where it is anything else."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")) or len(text) > MOST_TEXT:
        return None
    try:
        value = json_value(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _sorted(given: dict[str, Any]) -> Found:
    usage, locale = given.pop("usage", ""), given.pop("locale", "")
    words = (usage, locale)
    if not all(isinstance(word, str) and len(word) <= MAX_WORD for word in words):
        return NO_JSON
    return Found(given, usage.strip(), locale.strip())
