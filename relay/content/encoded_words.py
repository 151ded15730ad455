"""RFC 2047 encoded words: read leniently, and made of any text."""

from __future__ import annotations

import base64
import binascii
import codecs
import re

MAX_WORD = 75  # RFC 2047 section 2

_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")
_ESCAPED = re.compile(rb"=([0-9A-Fa-f]{2})")
# Python's own codecs, which are no charsets of mail.
_NO_CHARSETS = frozenset(
    {"unicode_escape", "raw-unicode-escape", "unicode-escape", "undefined", "idna"}
)
# RFC 2047 section 5 (3): what may stand in a word of a phrase.
_Q_PLAIN = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)


def decoded(value: str) -> str:
    """Decode the RFC 2047 words in `value`, leniently; what is no UTF-8 is replaced."""
    if "=?" not in value:
        return value if value.isascii() else _without_surrogates(value)
    pieces: list[str] = []
    data = b""
    charset = ""
    position = 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[position : match.start()]
        word = _word_bytes(match[2], match[3])
        if word is None:
            continue
        # White space between two words is not text, and a character may begin in
        # one word and end in the next (RFC 2047 sections 6.2 and 5, often broken).
        if between.strip() or not position or match[1].lower() != charset:
            pieces.append(text_of(data, charset) if data else "")
            data = b""
            if between.strip() or not position:
                pieces.append(between)
        data += word
        charset = match[1].lower()
        position = match.end()
    if data:
        pieces.append(text_of(data, charset))
    pieces.append(value[position:])
    return _without_surrogates("".join(pieces))


def _word_bytes(encoding: str, text: str) -> bytes | None:
    raw = text.encode("utf-8", "surrogateescape")
    if encoding in "Qq":
        return _ESCAPED.sub(
            lambda match: bytes.fromhex(match[1].decode()), raw.replace(b"_", b" ")
        )
    try:
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        return None


def text_of(data: bytes, charset: str) -> str:
    """Decode bytes, whatever the charset says; never fails."""
    for name in (charset, "utf-8"):
        try:
            codec = codecs.lookup(name)
            if codec.name not in _NO_CHARSETS:
                return data.decode(codec.name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1")


def _without_surrogates(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
        # Bytes that came in by surrogateescape are bytes again; the rest goes.
        try:
            data = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            pass
        return data.decode("utf-8", "replace")
    return text


def words(text: str, first: int = MAX_WORD) -> list[str]:
    """RFC 2047 words of `text`, each of 75 characters at most; the first of `first`."""
    plain = sum(character.isascii() for character in text)
    as_q = plain * 2 >= len(text)  # then it stays readable; else base64 is shorter
    frame = len("=?utf-8?q??=")
    room = min(first, MAX_WORD) - frame
    pieces: list[str] = []
    piece, size = b"", 0
    for character in text:
        more = character.encode("utf-8", "replace")
        cost = (
            sum(1 if byte in _Q_PLAIN or byte == 32 else 3 for byte in more)
            if as_q
            else len(more)
        )
        full = size + cost > room if as_q else (size + cost + 2) // 3 * 4 > room
        if full:
            pieces.append(_word(piece, as_q))
            piece, size = b"", 0
            room = MAX_WORD - frame
        piece += more
        size += cost
    if piece:
        pieces.append(_word(piece, as_q))
    return pieces


def _word(data: bytes, as_q: bool) -> str:
    if not as_q:
        return f"=?utf-8?b?{base64.b64encode(data).decode()}?="
    text = "".join(
        "_" if byte == 32 else chr(byte) if byte in _Q_PLAIN else f"={byte:02X}"
        for byte in data
    )
    return f"=?utf-8?q?{text}?="
