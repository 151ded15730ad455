"""Header fields of any text: folded, quoted, encoded as RFC 5322, 2047 and 2231 ask."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import quote

from relay.message import Field

LINE = 78
ADDRESS_FIELDS = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "bcc", "errors-to", "return-receipt-to"}
    | {"disposition-notification-to"}
    | {f"resent-{name}" for name in ("from", "sender", "to", "cc")}
)
PARAMETER_FIELDS = frozenset({"content-type", "content-disposition"})

# The address is what stands in the last angle brackets; all before it is the name.
_ANGLE = re.compile(r"(?P<name>.*)<(?P<address>[^<>]*)>\s*", re.DOTALL)
_SPECIALS = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]")
_LOOKS_ENCODED = re.compile(r"=\?.*\?=")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TOKEN = re.compile(
    r'(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<comment>\((?:[^()\\]|\\.)*\))'
    r"|(?P<angle><[^>]*>)|(?P<special>[,;:])|(?P<text>[^\"(<,;:]+|.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`name` is free text without quotes, "" for none."""

    name: str
    address: str

    def __str__(self) -> str:
        """The mailbox as a header field has it: quoted or encoded where it must be."""
        return f"{phrase(self.name)} <{self.address}>" if self.name else self.address


def mailbox(text: str) -> Mailbox:
    """Read `Acme <a@b.example>`, `<a@b.example>`, or the address alone.

    The name may hold commas, dots and letters of any script, in quotes or not:
    it is not RFC 5322's phrase but what an operator writes.
    """
    match = _ANGLE.fullmatch(text.strip())
    if match is None:
        return Mailbox("", text.strip())
    name = match["name"].strip()
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = _unquoted(name)
    return Mailbox(name, match["address"].strip())


def one_line(text: str) -> str:
    """Make a space of every control character: no value begins a new header."""
    return _CONTROL.sub(" ", text)


def phrase(name: str) -> str:
    """A display name as RFC 5322 wants it: bare, quoted, or RFC 2047 words."""
    if not name.isascii() or _LOOKS_ENCODED.search(name) or len(name) > 60:
        return encoded(name)
    if _SPECIALS.search(name) or name != name.strip():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return name


def encoded(text: str) -> str:
    """RFC 2047 words of 64 characters at most, base64 of UTF-8, spaces between."""
    words: list[bytes] = []
    piece = b""
    for letter in text:
        more = letter.encode("utf-8", "replace")
        if len(piece) + len(more) > 39:  # 52 characters of base64
            words.append(piece)
            piece = b""
        piece += more
    words.append(piece)
    return " ".join(f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words)


def folded(name: str, value: str) -> Field:
    """A field of an ASCII value in lines of at most 78 where spaces allow."""
    line, lines = f"{name}:", []
    for number, word in enumerate(value.split(" ")):
        # The first word stays beside the name, unless it fits only below it.
        crowded = len(line) + 1 + len(word) > LINE
        if crowded and (number > 0 or len(word) < LINE):
            lines.append(line)
            line = ""
        line += f" {word}"
    return Field(name, "\r\n".join([*lines, line]).encode("ascii") + b"\r\n")


def unstructured(name: str, value: str) -> Field:
    """A field of free text, such as Subject."""
    value = one_line(value)
    words = value.split(" ")
    hard = [
        number
        for number, word in enumerate(words)
        if not word.isascii() or _LOOKS_ENCODED.search(word) or len(word) > LINE - 2
    ]
    if hard:
        first, last = hard[0], hard[-1] + 1
        middle = encoded(" ".join(words[first:last]))
        value = " ".join([*words[:first], middle, *words[last:]])
    return folded(name, value)


def reencoded(one: Field) -> Field:
    """The field in ASCII, where its raw bytes are UTF-8; else as it is."""
    if one.raw.isascii() or not one.name:
        return one
    value = one.value
    if not _is_unicode(value):
        return one
    if one.key in ADDRESS_FIELDS:
        return folded(one.name, _addresses(value))
    if one.key in PARAMETER_FIELDS:
        value = _parameters(value)
        return folded(one.name, value) if value.isascii() else one
    return _plain(one.name, value)


def _plain(name: str, value: str) -> Field:
    """Free text that may hold encoded words already: only raw words are encoded."""
    words = one_line(value).split(" ")
    raw = [number for number, word in enumerate(words) if not word.isascii()]
    if not raw:  # what was not ASCII were control characters
        return folded(name, " ".join(words))
    first, last = raw[0], raw[-1] + 1
    if any(_LOOKS_ENCODED.search(word) for word in words[first:last]):
        words = [word if word.isascii() else encoded(word) for word in words]
        return folded(name, " ".join(words))
    middle = encoded(" ".join(words[first:last]))
    return folded(name, " ".join([*words[:first], middle, *words[last:]]))


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _addresses(value: str) -> str:
    """An address list with its display names and comments in ASCII."""
    result: list[str] = []
    names: list[str] = []  # the phrase, or the bare address, that is being read

    def flush(*, before_angle: bool) -> None:
        text = "".join(names)
        if not text.isascii() and (before_angle or "@" not in text):
            bare = " ".join(
                _unquoted(piece) if piece.startswith('"') else piece.strip()
                for piece in names
                if piece.strip()
            )
            lead = " " if text[:1].isspace() and result else ""
            text = f"{lead}{encoded(bare)} "
        result.append(text)
        names.clear()

    for token in _TOKEN.finditer(one_line(value)):
        if token["quoted"] or token["text"]:
            names.append(token[0])
        elif token["comment"]:
            flush(before_angle=False)
            text = token[0]
            result.append(text if text.isascii() else f"({encoded(text[1:-1])})")
        else:
            flush(before_angle=bool(token["angle"]))
            result.append(token[0])
    flush(before_angle=False)
    text = "".join(result).strip()
    # What is left is an address outside ASCII, which SES refuses with its own words.
    return text if text.isascii() else text.encode("ascii", "replace").decode()


def _parameters(value: str) -> str:
    """Content-Type or Content-Disposition with parameters as RFC 2231 has them."""

    def one(match: re.Match[str]) -> str:
        name, text = match[1], match[2]
        if text.isascii():
            return match[0]
        if text.startswith('"'):
            text = _unquoted(text)
        return f"; {name}*=utf-8''{quote(text, safe='')}"

    return re.sub(
        r';\s*([A-Za-z0-9-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)', one, one_line(value)
    )
