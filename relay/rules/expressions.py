"""Expressions, in RE2's syntax, that find a code or a link again in the next mail.

Guesses, for people who change them; whoever proposes one searches with it first.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from relay.content.codes import Code
from relay.content.links import URL

_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
_WORD = re.compile(r"(\s+|[^\W_]+|_)")
_ASCII_DIGITS = re.compile(r"[0-9]+")
_TOKEN = re.compile(r"(?=[^\W_]*\d)[\w~.=%-]{2,}|[\w~=%-]{24,}|\d")
_VERSION = re.compile(r"v\d|[a-z]+\.[a-z0-9]{2,5}", re.IGNORECASE)
# Parts of a query that say what a page is, and not whose.
_CONSTANT = frozenset({"action", "mode", "do", "page", "view", "task", "option", "cmd"})
_REST = r'[^\s<>"]*[\w/=-]'
_SEGMENT = r'[^\s<>"/?#]*[\w=-]'
MOST_CONTEXT = 120  # characters before a code


def literal(text: str, names: Collection[str] = ()) -> str:
    """An expression for a text of the mail: its numbers and `names` may be others."""
    return "".join(_piece(piece, names) for piece in _WORD.split(text))


def _piece(piece: str, names: Collection[str]) -> str:
    if piece.isspace():
        return " " if piece == " " else r"\s+"
    if piece.lower() in names:
        return r"\S+"
    if any(map(str.isdecimal, piece)):
        digits = r"\d+" if piece.isascii() else r"\p{Nd}+"
        return re.sub(r"\d+", lambda _: digits, escaped(piece))
    return escaped(piece)


def escaped(text: str) -> str:
    """An expression for exactly this text; only what means something is escaped."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def code(text: str, found: Code, name: str, names: Collection[str] = ()) -> list[str]:
    """Expressions that may find a code as group `name`, the best first."""
    group = f"(?P<{name}>{_like(found.value)})"
    if found.start < found.word:
        return [group + literal(text[found.end : found.word_end], names)]
    line = text.rfind("\n", 0, found.word) + 1
    before = _without_links(text[found.word : found.start], names)
    whole = _without_links(text[line : found.start], names)
    return [before + group, f"(?m)^{whole}{group}"]


def _without_links(text: str, names: Collection[str]) -> str:
    pieces = URL.split(text[-MOST_CONTEXT:])
    return r"\S+".join(literal(piece, names) for piece in pieces)


def _like(value: str) -> str:
    """A class of characters as many as the code has; `123 456` has a blank."""
    parts = re.split(r"([ -])", value)
    return "".join(part if part in " -" else _class(part) for part in parts)


def _class(part: str) -> str:
    if _ASCII_DIGITS.fullmatch(part):
        signs = r"\d"
    elif part.isdecimal():
        signs = r"\p{Nd}"
    elif part.isupper():
        signs = "[A-Z]" if part.isalpha() else "[A-Z0-9]"
    else:
        signs = "[A-Za-z0-9]"
    return f"{signs}{{{len(part)}}}"


def link(url: str, name: str, names: Collection[str] = ()) -> list[str]:
    """Expressions that may find a link as group `name`, the best first."""
    return [f"(?P<{name}>{_shape(url, names)})"]


def changes(url: str, names: Collection[str] = ()) -> bool:
    """Whether some of it looks as if another mail had another."""
    return _shape(url, names) != escaped(url)


def _shape(url: str, names: Collection[str]) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # no address of IPv6 between its brackets
        return escaped(url)
    start = url.find("/", url.find("//") + 2)
    if start < 0:
        return escaped(url)
    made = escaped(url[:start])
    end = start + len(parts.path)
    segments = url[start:end].split("/")
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        made += "/" if number else ""
        if segment.isdecimal() and segment.isascii():
            made += r"\d+"
        elif _moves(segment, names):
            made += _SEGMENT if last else r'[^\s<>"/?#]+'
        else:
            made += escaped(segment)
    rest = url[end:]
    if not rest.startswith("?"):
        return made + escaped(rest)
    for number, pair in enumerate(rest[1:].split("&")):
        key, equals, value = pair.partition("=")
        made += escaped("&" if number else "?")
        if equals and value and key.lower() not in _CONSTANT:
            return made + escaped(key + equals) + _REST
        made += escaped(pair)
    return made


def _moves(segment: str, names: Collection[str]) -> bool:
    if any(word in names for word in re.split(r"\W+", segment.lower())):
        return True
    return not _VERSION.fullmatch(segment) and bool(_TOKEN.fullmatch(segment))
