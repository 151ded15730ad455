"""The parameters of Content-Type and the like: RFC 2045 section 5.1, RFC 2231; linear.

Lenient: what is quoted may hold anything, what is not ends at the semicolon, and a
quote that never closes ends with the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from relay.content.charset import header_text, text_of

MAX_PARAMETERS = 1000

# White space, semicolons and comments. All of this is possessive, so that nothing is
# looked at twice.
_LEAD = r"(?>(?:[\s;]++|\((?>(?:[^()\\]++|\\.)*)\))*)"
_PARAMETER = re.compile(
    rf'({_LEAD})([^=;]*+)(?:(=\s*+)("(?>(?:[^"\\]++|\\.)*)[^;]*+|[^;]*+))?', re.DOTALL
)
_TOKEN = re.compile(rf'{_LEAD}"?([^\s;"(),]*+)', re.DOTALL)
_QUOTED = re.compile(r'"((?>(?:[^"\\]++|\\.)*))', re.DOTALL)
# No others: a backslash stands in the paths that Windows' programs write.
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_SECTION = re.compile(r"\*([0-9]{1,4})(\*?)")


class Parameter(NamedTuple):
    """One of them, in the pieces that it is written in; `equals` "": a word alone."""

    lead: str
    name: str
    equals: str
    given: str

    @property
    def text(self) -> str:
        """The value without its quotes."""
        match = _QUOTED.match(self.given)
        return _QUOTED_PAIR.sub(r"\1", match[1]) if match else self.given.rstrip()


def parameters(value: str) -> Iterator[Parameter]:
    """What follows the first word, in its order; joined, it is the text again."""
    first = _TOKEN.match(value)
    start = first.end() if first else 0
    for number, match in enumerate(_PARAMETER.finditer(value, start)):
        if number == MAX_PARAMETERS:  # nobody's; the rest is looked at no more
            yield Parameter(value[match.start() :], "", "", "")
            return
        lead, name, equals, given = match.groups(default="")
        bare = name.rstrip()
        yield Parameter(lead, bare, name[len(bare) :] + equals, given)


def first_word(value: str) -> str:
    """What the parameters follow, in lower case: `text/html`, `attachment`."""
    match = _TOKEN.match(value) if value else None
    return match[1].lower() if match else ""


def parameter(value: str, name: str, charset: str = "") -> str:
    """A parameter's value as text, "" when it is not given; `charset` of raw bytes."""
    data, label = parameter_bytes(value, name)
    return header_text(data, charset) if label is None else text_of(data, label)


def parameter_bytes(
    value: str, name: str, *, one_word: bool = False
) -> tuple[bytes, str | None]:
    """Its value, and the charset that RFC 2231's form names; None: in no such form.

    That form is preferred to the plain one beside it, whose writer could not say it.
    `one_word`: without quotes it ends at the first blank.
    """
    plain: str | None = None
    whole: str | None = None
    sections: dict[int, tuple[str, bool]] = {}
    for given in parameters(value):
        key = given.name.lower()
        if not key.startswith(name) or not given.equals:
            continue
        rest = key[len(name) :]
        if not rest:
            if plain is None:
                cut = one_word and not given.given.startswith('"')
                plain = given.given.partition(" ")[0] if cut else given.text
        elif rest == "*":
            whole = given.text if whole is None else whole
        elif match := _SECTION.fullmatch(rest):
            sections.setdefault(int(match[1]), (given.text, bool(match[2])))
    pieces = [] if whole is None else [(whole, True)]
    if not pieces:
        number = 0
        while number in sections:
            pieces.append(sections[number])
            number += 1
    if not pieces:
        return _raw(plain or ""), None
    first, extended = pieces[0]
    label = ""
    if extended and first.count("'") >= 2:
        label, _, first = first.split("'", 2)
        pieces[0] = first, True
    return b"".join(
        unquote_to_bytes(_raw(text)) if encoded else _raw(text)
        for text, encoded in pieces
    ), label


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
