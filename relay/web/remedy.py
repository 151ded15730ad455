"""What is wrong with a mail in words, where, and what to copy to have it taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from relay.templates.catalog import Templates
from relay.templates.samples import VARIABLES as EXAMPLES

VARIABLES = "X-Relay-Variables"

Place = Literal["header", "body", "recipient", "sender", "settings", "ses", ""]


class Fix(NamedTuple):
    """`text` is for copying; `what` says what it is and where it goes."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """`headers` are those that are wrong, `lacks` the one that a mail needs.

    `at`: what is wrong begins at this character of the header, from 1; 0: unknown.
    """

    what: str
    place: Place = ""
    headers: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    at: int = 0
    lacks: str = ""

    @property
    def in_words(self) -> str:
        """All of it as one text."""
        fixes = [f"{fix.what}:\n{fix.text}" for fix in self.fixes]
        return "\n\n".join([self.what, *fixes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What of the relay a remedy depends on."""

    usage_header: str
    templates: Templates
    region: str
    guard: str = ""  # what it does, in words

    @property
    def a_usage(self) -> str:
        """One that has a template, for examples."""
        return next(iter(self.templates.usages), "SignIn")


def header_line(name: str, value: str) -> str:
    """A header as a client writes it; nothing in it ends the line."""
    return f"{name}: {' '.join(value.split())}"


def variables_line(given: Mapping[str, Any], names: Sequence[str]) -> str:
    """The header that gives the variables `names`, beside those that are `given`."""
    return header_line(VARIABLES, as_json(given, names))


def as_json(given: Mapping[str, Any], names: Sequence[str]) -> str:
    """The same as JSON, with values such as Logto passes them."""
    return json.dumps({**given, **{name: example(name) for name in names}})


def example(name: str) -> Any:  # noqa: ANN401 - JSON is anything
    """A value for a variable: what one sees of it, or what it may be."""
    found = EXAMPLES.get(name, "...")
    if isinstance(found, Mapping):
        return {key: text for key, text in found.items() if isinstance(text, str)}
    return found
