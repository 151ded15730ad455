"""New header fields of any text: folded, quoted and encoded as RFC 5322 asks."""

from __future__ import annotations

import re

from relay.content.address import Mailbox
from relay.content.encoded_words import MAX_WORD, words
from relay.content.header import Field

FIELD_LINE = 78

_SPECIALS = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """Make a space of every control character: no value begins a new header."""
    if text.isprintable():  # as most is, and quicker than the pattern
        return text
    return _CONTROL.sub(" ", text)


def _looks_encoded(text: str) -> bool:
    """Tell whether a reader could take some of it for an RFC 2047 word."""
    start = text.find("=?")
    return start >= 0 and text.find("?=", start + 2) >= 0


def phrase(name: str, first: int = MAX_WORD) -> str:
    """A display name as RFC 5322 wants it: bare, quoted, or RFC 2047 words.

    The first word has the characters that its line has room for.
    """
    if not name.isascii() or _looks_encoded(name) or len(name) > 60:
        return encoded(name, first)
    if _SPECIALS.search(name) or name != name.strip():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return name


def encoded(text: str, first: int = MAX_WORD) -> str:
    """RFC 2047 words with spaces between, each of 75 characters at most."""
    return " ".join(words(text, first))


def folded(name: str, value: str) -> Field:
    """A field of an ASCII value in lines of at most 78 where spaces allow."""
    if len(name) + len(": ") + len(value) <= FIELD_LINE:
        return Field(name, f"{name}: {value}\r\n".encode("ascii"))
    line, lines = f"{name}:", []
    for number, word in enumerate(value.split(" ")):
        # The first word stays beside the name, unless it fits only below it.
        crowded = len(line) + 1 + len(word) > FIELD_LINE
        if crowded and (number > 0 or len(word) < FIELD_LINE):
            lines.append(line)
            line = ""
        line += f" {word}"
    return Field(name, "\r\n".join([*lines, line]).encode("ascii") + b"\r\n")


def address_field(name: str, mailbox: Mailbox) -> Field:
    """A field of one mailbox, its name quoted or encoded where it must be."""
    shown = f"{phrase(mailbox.name, _beside(name))} <{mailbox.address}>"
    return folded(name, shown if mailbox.name else mailbox.address)


def unstructured(name: str, value: str) -> Field:
    """A field of free text, such as Subject."""
    value = one_line(value)
    if len(value) <= FIELD_LINE - 2 and value.isascii() and "=?" not in value:
        return folded(name, value)  # as most are: nothing to encode
    words = value.split(" ")
    hard = [
        number
        for number, word in enumerate(words)
        if not word.isascii()
        or _looks_encoded(word)
        or len(word) > (FIELD_LINE - 2 if number else _beside(name))
    ]
    if hard:
        first, last = hard[0], hard[-1] + 1
        room = MAX_WORD if first else _beside(name)
        middle = encoded(" ".join(words[first:last]), room)
        value = " ".join([*words[:first], middle, *words[last:]])
    return folded(name, value)


def _beside(name: str) -> int:
    """The room beside a field's name: some take a first line without text for empty."""
    return max(FIELD_LINE - len(name) - len(": "), 40)
