"""The parts of a mail that SES would break, made safe; all others stay as they are.

SES garbles 8-bit bodies when it changes them for tracking, and receivers refuse the
long lines that it passes on. What is signed or encrypted is never touched.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import quote

from relay.message import (
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_PARTS,
    Field,
    Message,
    decoded,
    field,
    fields_of,
)
from relay.model import Refused, Reply
from relay.part import Part

MAX_LINE = 998  # RFC 5322 section 2.1.1, without CRLF
LINE = 76  # where an encoded header or body line ends, RFC 2047 and RFC 2045
MAX_WORD = 75  # RFC 2047 section 2

TOO_MANY_PARTS = Reply(554, "6.0", f"More than {MAX_PARTS} MIME parts")
TOO_DEEP = Reply(554, "6.0", f"MIME parts nested deeper than {MAX_DEPTH}")

_ADDRESS_FIELDS = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "bcc", "disposition-notification-to"}
    | {f"resent-{name}" for name in ("from", "sender", "reply-to", "to", "cc", "bcc")}
)
_PARAMETER_FIELDS = frozenset({"content-type", "content-disposition"})
_FROZEN = frozenset({"multipart/signed", "multipart/encrypted"})

_KIND = re.compile(r"[^\s;/]+/[^\s;]+")
_BOUNDARY = re.compile(r'(?i);\s*boundary\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;"]+))')
_PARAMETER = re.compile(r';(\s*)([^\s=;"]+)(\s*=\s*)("(?:\\.|[^"\\])*"|[^;]*)')
_QUOTED_PAIR = re.compile(r"\\(.)")
_COMMENT = re.compile(r"\([^()]*\)")
_END_OF_DELIMITER = re.compile(rb"(--)?[ \t]*(?:\r\n|\Z)")
_NOT_PLAIN_TEXT = bytes(
    byte for byte in range(256) if not (32 <= byte < 127 or byte in b"\t\r\n")
)
_NOT_BASE64 = bytes(
    byte
    for byte in range(256)
    if not (chr(byte).isalnum() and byte < 128) and byte not in b"+/"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
# What a mailbox list is made of: white space, comments, quoted strings, addresses
# in brackets, the characters with a meaning, and all else.
_ADDRESS_TOKEN = re.compile(
    r'\s+|\((?:\\.|[^()\\])*\)|"(?:\\.|[^"\\])*"|<[^<>]*>|[,:;]|[^\s,:;"(<]+|.'
)
# RFC 2047 section 5 (3): what may stand in a word of a phrase.
_GROUP, _SEPARATORS = ":", ",;"
_Q_PLAIN = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)


@dataclass(frozen=True, slots=True)
class _Entity:
    """A part, or the mail itself, by its places in the content."""

    fields: tuple[Field, ...]
    start: int
    body: int
    end: int
    default: str = "text/plain"
    depth: int = 0
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    new: bytes


def check_structure(message: Message) -> None:
    """Raise Refused for more parts, or deeper ones, than the relay takes."""
    if may_exceed(message.rest):
        _entities(message)


def may_exceed(content: bytes) -> bool:
    """Tell cheaply whether there may be too many parts, or too deep ones.

    Each part, and each level, begins with a line of its own.
    """
    return content.count(b"\r\n--") + 1 > MAX_DEPTH


def reencode(message: Message) -> Message:
    """Make it safe for SES. Raises Refused for a structure over the limits."""
    fields = tuple(map(ascii_field, message.fields))
    rest = message.rest
    if rest.isascii() and not has_long_line(rest, 0, len(rest)):
        if fields == message.fields:
            return message
        return Message(fields, rest)
    edits: list[_Edit] = []
    for entity in _entities(message):
        if entity.depth == 0:
            made = _encoded(entity, rest)
            if made is not None:
                own, body = made
                if all(one.key != "mime-version" for one in own):
                    own = (*own, field("MIME-Version", "1.0"))
                fields = tuple(map(ascii_field, own))
                ends = rest.endswith(b"\r\n") and not body.endswith(b"\r\n")
                pieces = (b"\r\n", body, b"\r\n" if ends else b"")
                return Message(fields, b"".join(pieces))
        elif not entity.frozen:
            edits += _edits(entity, rest)
    edits.sort(key=lambda edit: edit.start)
    view = memoryview(rest)
    kept: list[bytes | memoryview] = []
    position = 0
    for edit in edits:
        kept += (view[position : edit.start], edit.new)
        position = edit.end
    kept.append(view[position:])
    return Message(fields, b"".join(kept))


def has_long_line(content: bytes, start: int, end: int) -> bool:
    """Tell whether a line between these places has more than 998 bytes."""
    while end - start > MAX_LINE:
        found = content.rfind(b"\n", start, min(end, start + MAX_LINE + 2))
        if found < 0:
            return True
        start = found + 1
    return False


# The structure.


def _entities(message: Message) -> list[_Entity]:
    """The mail and all its parts; a message/rfc822 is not taken apart."""
    rest = message.rest
    body = 2 if rest.startswith(b"\r\n") else 0
    found: list[_Entity] = []
    waiting = [_Entity(message.fields, 0, body, len(rest))]
    parts = 0
    while waiting:
        entity = waiting.pop()
        found.append(entity)
        kind = _kind(entity)
        boundary = _boundary(entity.fields) if kind.startswith("multipart/") else b""
        if not boundary:
            continue
        if entity.depth >= MAX_DEPTH:
            raise Refused(TOO_DEEP)
        default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        frozen = entity.frozen or kind in _FROZEN
        for start, end in _spans(rest, boundary, entity.body, entity.end):
            parts += 1
            if parts > MAX_PARTS:
                raise Refused(TOO_MANY_PARTS)
            fields, body = _part_header(rest, start, end)
            waiting.append(
                _Entity(fields, start, body, end, default, entity.depth + 1, frozen)
            )
    return found


def _spans(
    content: bytes, boundary: bytes, start: int, end: int
) -> list[tuple[int, int]]:
    """Where the parts between the delimiter lines are (RFC 2046 section 5.1.1)."""
    delimiter = b"\r\n--" + boundary
    spans: list[tuple[int, int]] = []
    part = -1
    # The first delimiter may stand at the very start of the body; the line end
    # before it then is that of the header.
    position = start - 2 if content.startswith(delimiter, start - 2) else start
    if start < 2 and content.startswith(delimiter[2:], start):
        position = start
    while True:
        found = content.find(delimiter, max(position, 0), end)
        if found < 0:
            break
        match = _END_OF_DELIMITER.match(content, found + len(delimiter), end)
        if match is None:
            position = found + 2
            continue
        if part >= 0:
            spans.append((part, max(part, found)))
        part = match.end()
        if match[1]:
            return spans
        if len(spans) > MAX_PARTS:
            return spans
        # The line end of this delimiter may begin the next one.
        position = max(found + 2, part - 2)
    if 0 <= part < end:
        spans.append((part, end))
    return spans


def _part_header(content: bytes, start: int, end: int) -> tuple[tuple[Field, ...], int]:
    """The fields of a part, and where its body begins."""
    if content.startswith(b"\r\n", start, end):
        return (), start + 2
    limit = min(end, start + MAX_HEADER_BYTES)
    empty = content.find(b"\r\n\r\n", start, limit)
    if empty < 0 and limit < end:
        return (), start
    header = content[start : end if empty < 0 else empty + 2]
    fields = fields_of(header)
    if not fields or not fields[0].name:
        return (), start  # text without a header and its empty line
    return fields, end if empty < 0 else empty + 4


def _value(fields: tuple[Field, ...], key: str) -> str:
    return next((one.value for one in fields if one.key == key), "")


def _kind(entity: _Entity) -> str:
    match = _KIND.match(_value(entity.fields, "content-type"))
    return match[0].lower() if match else entity.default


def _boundary(fields: tuple[Field, ...]) -> bytes:
    match = _BOUNDARY.search(_value(fields, "content-type"))
    if match is None:
        return b""
    text = match[2] if match[1] is None else _QUOTED_PAIR.sub(r"\1", match[1])
    return text.rstrip().encode("utf-8", "surrogateescape")


# Bodies.


def _edits(entity: _Entity, content: bytes) -> list[_Edit]:
    made = _encoded(entity, content)
    fields, body = made or (entity.fields, None)
    fields = tuple(map(ascii_field, fields))
    edits = []
    if fields != entity.fields or body is not None:
        header = b"".join(one.raw for one in fields)
        if body is not None:
            header += b"\r\n"
            edits.append(_Edit(entity.body, entity.end, body))
            edits.insert(0, _Edit(entity.start, entity.body, header))
        else:
            size = sum(len(one.raw) for one in entity.fields)
            edits.append(_Edit(entity.start, entity.start + size, header))
    return edits


def _encoded(entity: _Entity, content: bytes) -> tuple[tuple[Field, ...], bytes] | None:
    """The fields and the body of a leaf that needs it, in a safe encoding."""
    if entity.frozen:
        return None
    return _safe(entity.fields, _kind(entity), content[entity.body : entity.end])


def _safe(
    fields: tuple[Field, ...], kind: str, data: bytes
) -> tuple[tuple[Field, ...], bytes] | None:
    if kind.startswith(("multipart/", "message/")):
        return None  # RFC 2046 section 5.2.1: no encoding for these
    if data.isascii() and not has_long_line(data, 0, len(data)):
        return None
    encoding = _encoding(_value(fields, "content-transfer-encoding"))
    if encoding == "base64":
        plain = data.replace(b"\r\n", b"")
        return (fields, _lines(plain)) if _BASE64.fullmatch(plain) else None
    if encoding == "quoted-printable":
        return fields, _quoted_printable(binascii.a2b_qp(data))
    if encoding.startswith("x-"):
        return None
    if not _value(fields, "content-type") and kind == "text/plain":
        charset = _charset(data)
        if charset:
            fields = _with(fields, "Content-Type", f"text/plain; charset={charset}")
    encoding, body = encoded_body(data, text=kind.startswith("text/"))
    return _with(fields, "Content-Transfer-Encoding", encoding), body


def _encoding(value: str) -> str:
    return _COMMENT.sub("", value).strip().lower()


def encoded_body(data: bytes, *, text: bool) -> tuple[str, bytes]:
    """The better transfer encoding and what it makes of `data`; no line end after."""
    unsafe = len(data) - len(data.translate(None, _NOT_PLAIN_TEXT))
    # Readable as long as most of it is letters of ASCII; base64 is shorter for
    # Cyrillic, Greek, Chinese.
    if text and unsafe * 2 <= len(data):
        return "quoted-printable", _quoted_printable(data)
    return "base64", _lines(binascii.b2a_base64(data, newline=False))


def transfer_decoded(part: Part) -> bytes:
    """The bytes that a part's body stands for, as well as they can be had."""
    body = part.message.body
    match _encoding(_value(part.message.fields, "content-transfer-encoding")):
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case "base64":
            plain = body.translate(None, _NOT_BASE64)
            # One character after a multiple of four holds no byte: it was cut off.
            plain = plain[: len(plain) - (len(plain) % 4 == 1)]
            return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))
    return body


def safe_part(part: Part) -> Message:
    """A part by itself, safe for SES; what may not be encoded is as it was."""
    fields, body = part.message.fields, part.message.body
    made = _safe(fields, part.type, body)
    fields, body = made or (fields, body)
    fields = tuple(map(ascii_field, fields))
    return Message(fields, b"\r\n" + body)


def _charset(data: bytes) -> str:
    if data.isascii():
        return "us-ascii"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return ""  # not known: the receiver guesses, as it would have without us
    return "utf-8"


def _with(fields: tuple[Field, ...], name: str, value: str) -> tuple[Field, ...]:
    """Say it once: where it was said before, or at the end."""
    stated = field(name, value)
    kept: list[Field] = []
    for one in fields:
        if one.key != stated.key:
            kept.append(one)
        elif stated not in kept:
            kept.append(stated)
    return tuple(kept) if stated in kept else (*kept, stated)


def _quoted_printable(data: bytes) -> bytes:
    made = binascii.b2a_qp(data, istext=True)
    # It takes the style of its line ends from the data; without any it writes LF.
    return made if b"\n" in data else made.replace(b"\n", b"\r\n")


def _lines(encoded: bytes) -> bytes:
    """Cut into lines, some thousand at a time: a list of all takes twice the memory."""
    block = LINE * 1000
    return b"\r\n".join(
        b"\r\n".join(
            encoded[start : start + LINE]
            for start in range(first, min(first + block, len(encoded)), LINE)
        )
        for first in range(0, len(encoded), block)
    )


# Header fields.


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
    room = max(LINE - len(head) - 2, 40)  # beside the name, on the first line
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
        pieces = _percent_pieces(encoded, LINE - len(name) - len("*00*=utf-8'';") - 1)
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
        full = len(line) + len(space) + len(unit) > LINE
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
