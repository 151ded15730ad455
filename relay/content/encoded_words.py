"""RFC 2047 encoded words: read leniently, and made of any text."""

from __future__ import annotations

import base64
import binascii
import re

from relay.content.charset import header_text, text_of

MAX_WORD = 75  # RFC 2047 section 2

# A question mark may stand in it, which some leave as it is, but no beginning of
# another word: so nothing is looked at twice.
_ENCODED_WORD = re.compile(
    r"=\?([^?\s*]*+)(?:\*[^?\s]*+)?\?([BbQq])\?((?>(?:[^?=]++|=(?!\?[^=])|\?(?!=))*))\?="
)
_ESCAPED = re.compile(rb"=([0-9A-Fa-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")
# RFC 2047 section 5 (3): what may stand in a word of a phrase.
_Q_PLAIN = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)


def decoded(value: str, charset: str = "") -> str:
    """Decode the RFC 2047 words in `value`, leniently.

    What is raw, and no UTF-8, is read as `charset`, that of the mail's body.
    """
    if "=?" not in value:
        return value if value.isascii() else _text(value, charset)
    pieces: list[str] = []
    data: list[bytes] = []
    label = ""
    position = 0
    for match in _ENCODED_WORD.finditer(value):
        word = _word_bytes(match[2], match[3])
        if word is None:
            continue
        between = value[position : match.start()]
        # White space between two words is not text, and a character may begin in
        # one word and end in the next (RFC 2047 sections 6.2 and 5, often broken).
        if between.strip() or not position or match[1].lower() != label:
            if data:
                pieces.append(text_of(b"".join(data), label))
                data = []
            if between.strip() or not position:
                pieces.append(_text(between, charset))
        data.append(word)
        label = match[1].lower()
        position = match.end()
    if data:
        pieces.append(text_of(b"".join(data), label))
    pieces.append(_text(value[position:], charset))
    return "".join(pieces)


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


def _text(value: str, charset: str) -> str:
    """Text that is no word; bytes that came in by surrogateescape are bytes again."""
    if _SURROGATE.search(value) is None:
        return value
    try:
        return header_text(value.encode("utf-8", "surrogateescape"), charset)
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", value)


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
