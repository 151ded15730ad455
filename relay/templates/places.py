"""Where the variables of an HTML template stand, for places where a value does harm.

Escaping keeps a value inside a quoted attribute and inside text, and no more: it does
not close the places in `dangers`, nor make a harmless address of a `javascript:` one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.content.html_tags import (
    MOST_AT_ONCE,
    Attribute,
    Run,
    Tag,
    attributes,
    referenced,
    tokens,
    usual_tag,
)
from relay.model.replies import not_a_link
from relay.templates.placeholder import Text, Values, Variable

MOST_DANGERS = 50
MOST_PLACES = 200  # of one template, several in a line, whose line is looked for

# What a link may lead to, and what may be shown; all else needs three braces.
_LINKS = ("http:", "https:", "mailto:")
_SHOWN = ("http:", "https:", "cid:", "data:image/")
ALLOWED_LINKS = {
    "href": _LINKS,
    "xlink:href": _LINKS,
    "action": _LINKS,
    "formaction": _LINKS,
    "src": _SHOWN,
    "data": _SHOWN,
    "poster": _SHOWN,
    "background": _SHOWN,
}
_SCRIPTS = ("javascript:", "vbscript:")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:")
# What browsers take away before they look for a scheme.
_AROUND = "".join(map(chr, range(0x21))) + "\x7f\x80\x85\xa0\u200b\u2028\u2029\ufeff"
_INSIDE = dict.fromkeys(map(ord, "\t\n\r\x00"))
_SETTLED = re.compile(r"[:/?#]")
_CSS_URL = re.compile(r"\burl\(([^)]*+)", re.IGNORECASE)
# Outlook reads what is in these, so it is looked at as if it stood there.
CONDITION = re.compile(r"<!--\[if\b[^\]>]{0,200}+\]>", re.IGNORECASE)
# Most of a template, which need not be taken apart: texts, and tags without a mark, in
# which no value begins as one of _SCRIPTS may. Scripts and styles are looked at.
_NAME = r"(?![Ss](?:[Cc][Rr]|[Tt][Yy])) [A-Za-z][A-Za-z0-9:-]*+"
_VALUE = r"""(?:
    (?: [0-9A-IK-UW-Za-ik-uw-z\#/?.%%_+(-] | [Jj](?![Aa&\s\0]) | [Vv](?![Bb&\s\0]) )
    [^%s\ufdd0-\ufdef]*+
)?"""
_HARMLESS = re.compile(
    rf"(?: [^<]++ | {usual_tag(_NAME, _VALUE)} ){{1,{MOST_AT_ONCE}}}",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Danger:
    """`line` counts from 1 in the template's content."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Link:
    """The value of an attribute, as far as its variables decide where it leads."""

    start: Text
    allowed: tuple[str, ...]

    def check(self, values: Values) -> None:
        """Raise Refused where the scheme is none of those allowed."""
        start = values.fill(self.start, str)
        if not is_harmless(start, self.allowed):
            raise not_a_link(self.start.places[0][1].label, self.allowed)


def is_harmless(start: str, allowed: tuple[str, ...]) -> bool:
    """Whether a link that begins so has no scheme, or one of those allowed."""
    if start.startswith(allowed):
        return True  # as nearly all do: nothing stands before the scheme or in it
    start = start.lstrip(_AROUND).translate(_INSIDE)
    scheme = _SCHEME.match(start)
    return scheme is None or start[: len("data:image/")].lower().startswith(allowed)


class Marked:
    """An HTML whose variables are marks, so that it can be taken apart."""

    def __init__(self, html: Text) -> None:
        # A noncharacter that the template does not hold: it stands for nothing else.
        spare = (chr(code) for code in range(0xFDD0, 0xFDF0))
        fixed = html.fixed
        self.mark = next((letter for letter in spare if letter not in fixed), "\ufdd0")
        self.variables = tuple(variable for _, variable, _ in html.places)
        numbers = iter(range(len(self.variables)))
        self.text = "".join(
            piece
            if isinstance(piece, str)
            else f"{self.mark}{next(numbers)}{self.mark}"
            for piece in html.pieces
        )

    def pieces(self, text: str) -> Iterator[str | Variable]:
        """What a part of it says, the variables in their places; "" is left out."""
        for index, part in enumerate(text.split(self.mark)):
            if index % 2 and part.isdecimal() and int(part) < len(self.variables):
                yield self.variables[int(part)]
            elif part:
                yield part


class Places:
    """What is found in one template; `links` are to be checked for each mail."""

    def __init__(self, html: Text) -> None:
        self._marked = marked = Marked(html)
        self.links: list[Link] = []
        self.dangers: list[Danger] = []
        self.script_links = 0  # those whose scheme is a script's
        self._places_left = MOST_PLACES
        source = marked.text
        if "<!--[" in source:
            source = CONDITION.sub(lambda match: " " * len(match[0]), source)
        before: str | Tag = ""
        for token in tokens(source, _HARMLESS):
            if isinstance(token, Run):
                continue  # behind it stands no < and no script
            if isinstance(token, Tag):
                self._tag(token)
            elif isinstance(before, Tag) and not before.closing:
                self._text(token, before.name)
            elif isinstance(before, str) and before.endswith("<"):
                self._name(before + token)
            else:
                self._name(token)
            before = token

    def _text(self, text: str, element: str) -> None:
        if element == "script":
            self._found(text, "in a script: a value could write one of its own")
        elif element == "style":
            self._css(text)
        else:
            self._name(text)

    def _name(self, text: str) -> None:
        """A variable right behind a <."""
        mark = self._marked.mark
        if "<" not in text or mark not in text:
            return
        for match in re.finditer(f"</?({mark}[0-9]+{mark})", text):
            self._found(match[1], "as the name of a tag: a value could open any other")

    def _tag(self, tag: Tag) -> None:
        self._found(tag.name, "in the name of a tag: a value could open another")
        if tag.closing:
            return
        for attribute in attributes(tag.source):
            name = attribute.name.lower()
            self._found(name, "in a tag outside of quotes: a value could add to it")
            if not attribute.quote:
                self._found(
                    attribute.value,
                    "in an attribute without quotes: a value could add attributes; "
                    "put quotes around it",
                )
            if name.startswith("on"):
                self._found(attribute.value, "in a script: a value could add to it")
            elif name == "style":
                self._css(referenced(attribute.value))
            elif name in ALLOWED_LINKS:
                self._link(tag, attribute, ALLOWED_LINKS[name])

    def _css(self, css: str) -> None:
        if self._marked.mark not in css:
            return
        for match in _CSS_URL.finditer(css):
            self._found(
                match[1],
                "in a CSS url(): a value could load something else; "
                "write the address out, or show an image by src",
            )

    def _link(self, tag: Tag, attribute: Attribute, allowed: tuple[str, ...]) -> None:
        pieces: list[str | Variable] = []
        for piece in self._marked.pieces(referenced(attribute.value)):
            pieces.append(piece)
            if isinstance(piece, str) and _SETTLED.search(piece):
                break  # what follows no longer says where it leads
        start = Text(tuple(pieces))
        scheme = start.fixed.lstrip(_AROUND).translate(_INSIDE).lower()
        if scheme.startswith(_SCRIPTS):
            self._script_link(tag, attribute)
            return
        if start.places and not any(each.raw for _, each, _ in start.places):
            self.links.append(Link(start, allowed))

    def _script_link(self, tag: Tag, attribute: Attribute) -> None:
        why = "in a javascript: link: a value could write a script"
        self.script_links += 1
        self._places_left -= 1
        if not self._found(attribute.value, why) and self._places_left > 0:
            text = "a javascript: link: mail programs do not follow it"
            self._danger(Danger(text, self._line(tag.start)))

    def _found(self, text: str, why: str) -> bool:
        """Name the variables in `text`, which stand where they should not."""
        mark = self._marked.mark
        if mark not in text:
            return False
        for number in text.split(mark)[1::2]:
            self._places_left -= 1
            if self._places_left < 0:
                break
            if number.isdecimal() and int(number) < len(self._marked.variables):
                variable = self._marked.variables[int(number)]
                place = self._marked.text.find(f"{mark}{number}{mark}")
                self._danger(Danger(f"{variable.whole} {why}", self._line(place)))
        return True

    def _danger(self, danger: Danger) -> None:
        if len(self.dangers) < MOST_DANGERS and danger not in self.dangers:
            self.dangers.append(danger)

    def _line(self, position: int) -> int:
        before = self._marked.text[:position]
        ends = sum(
            piece.whole.count("\n")
            for piece in self._marked.pieces(before)
            if isinstance(piece, Variable)
        )
        return before.count("\n") + ends + 1
