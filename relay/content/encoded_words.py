"""RFC 2047 words, and header fields with raw UTF-8 rewritten in them.

Structure is kept: of addresses only names and comments become words, parameters
follow RFC 2231, and a field that is ASCII already is not touched.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from urllib.parse import quote

from relay.content.header import Field

_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")

_ESCAPED = re.compile(rb"=([0-9A-Fa-f]{2})")

# Python's own codecs, which are no charsets of mail.
_NO_CHARSETS = frozenset(
    {"unicode_escape", "raw-unicode-escape", "unicode-escape", "undefined", "idna"}
)

WORDS_LINE = 76  # where a line of encoded words ends, RFC 2047
MAX_WORD = 75  # RFC 2047 section 2

_ADDRESS_FIELDS = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "bcc", "disposition-notification-to"}
    | {f"resent-{name}" for name in ("from", "sender", "reply-to", "to", "cc", "bcc")}
    | {"errors-to", "return-receipt-to"}
)
_PARAMETER_FIELDS = frozenset({"content-type", "content-disposition"})
_PARAMETER = re.compile(r';(\s*)([^\s=;"]+)(\s*=\s*)("(?:\\.|[^"\\])*"|[^;]*)')
_QUOTED_PAIR = re.compile(r"\\(.)")
# What a mailbox list is made of: white space, comments, quoted strings, addresses
# in brackets, the characters with a meaning, and all else.
_ADDRESS_TOKEN = re.compile(
    r'\s+|\((?:\\.|[^()\\])*\)|"(?:\\.|[^"\\])*"|<[^<>]*>|[,:;]|[^\s,:;"(<]+|.'
)
_GROUP, _SEPARATORS = ":", ",;"
# RFC 2047 section 5 (3): what may stand in a word of a phrase.
_Q_PLAIN = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)


def ascii_field(one: Field) -> Field:
    """The field with its raw UTF-8 encoded, structure kept; any other as it is."""
    if one.raw.isascii() or not one.name:
        return one
    raw_value = one.raw.partition(b":")[2]
    try:
        value = raw_value.decode("utf-8").replace("\r\n", "").strip(" \t")
    except UnicodeDecodeError:
        return one
    end = "\r\n" if one.raw.endswith(b"\r\n") else ""
    head = one.raw.partition(b":")[0].strip().decode("latin-1")
    room = max(WORDS_LINE - len(head) - 2, 40)  # beside the name, on the first line
    if one.key in _ADDRESS_FIELDS:
        tokens = _addresses(value, room)
    elif one.key in _PARAMETER_FIELDS:
        tokens = _parameters(value)
    else:
        tokens = _text(value, room)
    line = _folded(f"{head}:", [" ", *tokens]) + end
    return Field(one.name, line.encode())


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


def _spaced(text: str, first: int = MAX_WORD) -> list[str]:
    """The words of `text` as tokens, with the spaces that stand between them."""
    tokens: list[str] = []
    for word in words(text, first):
        tokens += ([" "] if tokens else []) + [word]
    return tokens


def _text(value: str, room: int) -> list[str]:
    """Unstructured text: runs of words that are not ASCII become encoded words."""
    pieces = re.split(r"([ \t]+)", value)
    tokens: list[str] = []
    run: list[str] = []  # words and the white space between them
    encoded_before = False
    for index in range(0, len(pieces), 2):
        space = pieces[index - 1] if index else ""
        word = pieces[index]
        if not word.isascii():
            if not run and encoded_before:
                # Between two encoded words a receiver drops the white space.
                tokens.append(" ")
                run = [space]
            elif run:
                run.append(space)
            elif space:
                tokens.append(space)
            run.append(word)
            continue
        if run:
            tokens += _spaced("".join(run), MAX_WORD if tokens else room)
            run = []
            if word.startswith("=?") and word.endswith("?="):
                # The same on this side: the space goes into a word of its own.
                tokens += [" ", *_spaced(space)]
                space = " "
        if space:
            tokens.append(space)
        tokens.append(word)
        encoded_before = word.startswith("=?") and word.endswith("?=")
    return tokens + _spaced("".join(run), MAX_WORD if tokens else room)


def _addresses(value: str, room: int) -> list[str]:
    """Mailbox lists: phrases before `<` and `:`, and comments, become words."""
    tokens: list[str] = []
    phrase: list[str] = []

    def end_phrase(encode: bool) -> None:
        text = "".join(phrase)
        if encode and not text.isascii():
            stripped = text.lstrip()
            if stripped != text or (tokens and tokens[-1] not in ",;:"):
                tokens.append(" ")
            plain = "".join(
                _QUOTED_PAIR.sub(r"\1", token[1:-1])
                if len(token) > 1 and token.startswith('"')
                else token
                for token in phrase
            )
            first = MAX_WORD if tokens else room
            tokens.extend([*_spaced(decoded(plain).strip(" \t"), first), " "])
        else:
            tokens.extend(phrase)
        phrase.clear()

    for token in _ADDRESS_TOKEN.findall(value):
        if token.startswith("<") and len(token) > 1:
            end_phrase(True)
            tokens.append(token)
        elif token == _GROUP:
            end_phrase(True)
            if tokens and tokens[-1] == " ":
                tokens.pop()
            tokens.append(token)
        elif token in _SEPARATORS:
            # An address alone is no phrase: its bytes have no encoding.
            end_phrase(not any("@" in piece for piece in phrase))
            tokens.append(token)
        elif token.startswith("(") and len(token) > 1:
            if token.isascii():
                phrase.append(token)
                continue
            end_phrase(not any("@" in piece for piece in phrase))
            inner = decoded(_QUOTED_PAIR.sub(r"\1", token[1:-1]))
            made = _spaced(inner)
            made[0] = "(" + made[0]
            made[-1] += ")"
            tokens.extend(made)
        else:
            phrase.append(token)
    end_phrase(not any("@" in piece for piece in phrase))
    return tokens


def _parameters(value: str) -> list[str]:
    """A value with parameters: those that are not ASCII as RFC 2231 says."""
    matches = list(_PARAMETER.finditer(value))
    given = {match[2].lower() for match in matches}
    tokens = [value[: matches[0].start()] if matches else value]
    for match in matches:
        space, name, equals, text = match.groups()
        if text.isascii() or not name.isascii():
            tokens += [";", space, f"{name}{equals}{text}"]
            continue
        if {f"{name}*".lower(), f"{name}*0*".lower()} & given:
            continue  # it is there in the form for such characters
        text = text.strip().strip('"')
        encoded = quote(_QUOTED_PAIR.sub(r"\1", text), safe="!#$&+-.^_`{}~")
        pieces = _percent_pieces(
            encoded, WORDS_LINE - len(name) - len("*00*=utf-8'';") - 1
        )
        if len(pieces) == 1:
            tokens += [";", " ", f"{name}*=utf-8''{pieces[0]}"]
            continue
        for number, piece in enumerate(pieces):
            charset = "utf-8''" if number == 0 else ""
            tokens += [";", " ", f"{name}*{number}*={charset}{piece}"]
    return tokens


def _percent_pieces(encoded: str, room: int) -> list[str]:
    """Cut without cutting a percent sequence."""
    pieces: list[str] = []
    room = max(room, 12)
    while len(encoded) > room:
        cut = room
        if "%" in encoded[cut - 2 : cut]:
            cut = encoded.rindex("%", 0, cut)
        pieces.append(encoded[:cut])
        encoded = encoded[cut:]
    return [*pieces, encoded]


def _folded(head: str, tokens: list[str]) -> str:
    """Join the tokens; a line that would be too long ends before white space."""
    lines: list[str] = []
    line = head
    space = ""
    unit = ""

    def put() -> None:
        nonlocal line
        full = len(line) + len(space) + len(unit) > WORDS_LINE
        if space and full and line != head:
            lines.append(line)
            line = space + unit
        else:
            line += space + unit

    for token in tokens:
        if token and not token.strip(" \t"):
            if unit:
                put()
                space, unit = token, ""
            else:
                space += token
        else:
            unit += token
    if unit:
        put()
    return "\r\n".join([*lines, line])


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
