"""Placeholders: `{{ name }}`, `{{ user.name }}`, `{{ list.0 }}`, `{{{ raw }}}`.

A text is compiled once to its pieces, and filled in one pass: an inserted value is
never scanned again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from relay.content.original import Original
from relay.model.replies import ENCRYPTED, not_a_text
from relay.model.reply import Refused

BUILT_IN = ("from", "to", "subject", "text", "html")
_MESSAGE = "message."

# JavaScript's \s, which Logto looks for: no-break and typographic spaces too.
BLANKS = r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*+"
_NAME = rf"{BLANKS}([A-Za-z0-9_.]++){BLANKS}"
_VARIABLE = re.compile(rf"\{{\{{\{{{_NAME}\}}\}}\}}|\{{\{{{_NAME}\}}\}}")
# Of one template that many problems are said.
_MOST_PROBLEMS = 50
# Plain decimals, and few enough of them that no list could have more.
_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A placeholder, by its name with the dots."""

    name: str
    raw: bool
    whole: str  # as it stands in the template

    @property
    def label(self) -> str:
        """What it is called where its mail is refused."""
        return self.name

    @property
    def built_in(self) -> bool:
        """Whether it stands for something of the original mail."""
        return self.name.startswith(_MESSAGE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in pieces: what stands there, and the variables between."""

    pieces: tuple[str | Variable, ...]
    # The same for who fills it in: the pieces without the variables; these with their
    # places, and with what most of them are: the key of a text that is given.
    blank: tuple[str, ...] = field(init=False, repr=False)
    places: tuple[tuple[int, Variable, str | None], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        blank = (piece if isinstance(piece, str) else "" for piece in self.pieces)
        places = (
            (place, piece, None if "." in piece.name else piece.name)
            for place, piece in enumerate(self.pieces)
            if isinstance(piece, Variable)
        )
        object.__setattr__(self, "blank", tuple(blank))
        object.__setattr__(self, "places", tuple(places))

    @property
    def fixed(self) -> str:
        """What stands outside the placeholders."""
        return "".join(self.blank)

    def uses(self, name: str) -> bool:
        """Tell whether the placeholder occurs."""
        return any(variable.name == name for _, variable, _ in self.places)


@dataclass(slots=True)
class Problems:
    """What is wrong with a template, and what may be; `place` names it."""

    place: str
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # Words for line and column of a setting, where it has a file of its own.
    named: Callable[[str, int, int], str] | None = None
    # The line of what was written, of a content that was made of it at load.
    written: Callable[[int], int] | None = None

    def at(self, name: str, text: str, position: int) -> str:
        """Words for a position in `text`, the setting `name`."""
        return self.place_of(name, *spot(text, position))

    def place_of(self, name: str, line: int, column: int = 0) -> str:
        """Words for a line of the setting `name`."""
        if name == "content" and self.written is not None:
            line, column = self.written(line), 0
        if self.named is not None:
            return self.named(name, line, column)
        return f"{self.place}.{name}:{line}" + (f":{column}" if column else "")


def compile_text(text: str, name: str, problems: Problems) -> Text:
    """Take `text`, the setting `name`, apart; what is wrong goes to `problems`."""
    pieces: list[str | Variable] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        variable = Variable(match[1] or match[2], match[1] is not None, match[0])
        if variable.name.startswith("."):
            continue  # `{{.code}}` stays as it is
        _look_at(text, end, match.start(), name, problems)
        pieces.append(text[end : match.start()])
        unknown = variable.built_in and variable.name[len(_MESSAGE) :] not in BUILT_IN
        if unknown and len(problems.errors) < _MOST_PROBLEMS:
            problems.errors.append(
                f"{problems.at(name, text, match.start())}: "
                f"{match[0]}: unknown; there are "
                + ", ".join(f"message.{known}" for known in BUILT_IN)
            )
        pieces.append(variable)
        end = match.end()
    _look_at(text, end, len(text), name, problems)
    pieces.append(text[end:])
    return Text(tuple(piece for piece in pieces if piece != ""))


def _look_at(text: str, start: int, end: int, name: str, problems: Problems) -> None:
    """Find what looks like a variable, and is none, between two that are."""
    position = start
    while (opened := text.find("{{", position, end)) >= 0:
        closed = text.find("}}", opened, end)
        if closed < 0:
            here = problems.at(name, text, opened)
            problems.errors.append(f"{here}: {{{{ is not closed")
            return
        position = closed + 2
        if len(problems.warnings) >= _MOST_PROBLEMS:
            continue
        shown = text[opened:position]
        if len(shown) > 80:
            shown = f"{shown[:76]}…}}}}"
        here = problems.at(name, text, opened)
        problems.warnings.append(f"{here}: {shown} is no variable and stays as it is")


def spot(text: str, position: int) -> tuple[int, int]:
    """Line and column, from 1."""
    line = text.count("\n", 0, position) + 1
    return line, position - (text.rfind("\n", 0, position) + 1) + 1


Filter = Callable[[str], str]


class Values:
    """The variables of one mail, as a template asks for them."""

    def __init__(
        self, variables: Mapping[str, Any], original: Original, missing: str
    ) -> None:
        self._variables = variables
        self._original = original
        self._missing = missing
        self.not_given: dict[str, None] = {}
        # What is not in a variable that is given.
        self.lacking: dict[str, None] = {}

    def fill(
        self, compiled: Text, as_value: Filter, *, raw: Filter | None = None
    ) -> str:
        """The text with its values; `raw` is what `{{{name}}}` has instead."""
        given = self._variables
        filled = list(compiled.blank)
        for place, variable, key in compiled.places:
            # Without a call for a text that is given, as most are.
            value = given.get(key) if key else None
            if not isinstance(value, str):
                value = self._value(variable)
            if value is None:
                filled[place] = variable.whole if self._missing == "keep" else ""
            elif raw is not None and (variable.raw or variable.name == "message.html"):
                filled[place] = raw(value)  # HTML in HTML
            else:
                filled[place] = as_value(value)
        return "".join(filled)

    def _value(self, variable: Variable) -> str | None:
        if variable.built_in:
            return built_in(self._original, variable.name[len(_MESSAGE) :])
        root, *rest = variable.name.split(".")
        if root not in self._variables:
            if self._missing == "reject":
                self.not_given[root] = None
            return None
        value = self._variables[root]
        for name in rest:
            if isinstance(value, dict) and name not in value:
                self.lacking[variable.name] = None
                return ""
            value = member(value, name)
        return as_text(value, variable.name)


def built_in(original: Original, name: str) -> str:
    """What `message.<name>` stands for. Raises Refused."""
    match name:
        case "from":
            return original.sender
        case "to":
            return original.recipient
        case "subject":
            return original.header("subject")
    # What is left is its body.
    if original.is_encrypted:
        raise Refused(ENCRYPTED)
    return original.text if name == "text" else original.html


def member(value: Any, name: str) -> Any:  # noqa: ANN401 - JSON is anything
    """What is in a value by this name or position; None: nothing."""
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and _POSITION.fullmatch(name):
        return value[int(name)] if int(name) < len(value) else None
    return None


def as_text(value: Any, name: str) -> str:  # noqa: ANN401
    """A value as JavaScript would print it."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            # str() refuses an integer of more than 4,300 digits; Decimal does not.
            return str(Decimal(value)) if abs(value) >= 1e21 else str(value)
        case float():
            return _number(value)
    kind = "a list" if isinstance(value, list | tuple) else "an object"
    raise not_a_text(name, kind)


def _number(value: float) -> str:
    """As ECMAScript's Number::toString: exponents from 1e21 and below 1e-6 only."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(repr(value)):f}"
    return re.sub(r"e([+-])0+", r"e\1", repr(value))
