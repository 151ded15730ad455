"""The parts of a mail that SES would break, made safe; all others stay as they are.

SES garbles 8-bit bodies when it changes them for tracking, and receivers refuse the
long lines that it passes on. What is signed or encrypted is never touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from relay.content.ascii_field import ascii_field
from relay.content.header import Field, Message
from relay.content.mime_parts import Part, structure
from relay.content.new_field import folded
from relay.content.transfer_encoding import (
    base64_lines,
    encoded_body,
    quoted_again,
)
from relay.model.replies import MAX_DEPTH

MAX_LINE = 998  # RFC 5322 section 2.1.1, without CRLF

_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*+")
# What no decoder of base64 reads (RFC 2045 section 6.8): blanks, and what is not ASCII.
_IGNORED = b" \t\r\n" + bytes(range(128, 256))


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    new: bytes


def check_structure(message: Message) -> None:
    """Raise Refused for more parts, or deeper ones, than the relay takes."""
    if may_exceed(message.rest):
        structure(message)


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
    for part in structure(message):
        if part.depth == 0:
            made = _encoded(part)
            if made is not None:
                own, body = made
                if all(field.key != "mime-version" for field in own):
                    own = (*own, folded("MIME-Version", "1.0"))
                fields = tuple(map(ascii_field, own))
                ends = rest.endswith(b"\r\n") and not body.endswith(b"\r\n")
                pieces = (b"\r\n", body, b"\r\n" if ends else b"")
                return Message(fields, b"".join(pieces))
        elif not part.sealed:
            edits += _edits(part)
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
    window = MAX_LINE + 2  # and the line's end
    while end - start >= window:
        found = content.rfind(b"\n", start, start + window)
        if found < 0:
            return True
        start = found + 1
    return end - start > MAX_LINE and content.rfind(b"\n", start, end) < 0


def _edits(part: Part) -> list[_Edit]:
    made = _encoded(part)
    fields, body = made or (part.fields, None)
    fields = tuple(map(ascii_field, fields))
    edits = []
    if fields != part.fields or body is not None:
        header = b"".join(field.raw for field in fields)
        if body is not None:
            edits.append(_Edit(part.start, part.body_start, header + b"\r\n"))
            edits.append(_Edit(part.body_start, part.end, body))
        else:
            size = sum(len(field.raw) for field in part.fields)
            edits.append(_Edit(part.start, part.start + size, header))
    return edits


def _encoded(part: Part) -> tuple[tuple[Field, ...], bytes] | None:
    """The fields and the body of a leaf that needs it, in a safe encoding."""
    if part.sealed or part.type.startswith(("multipart/", "message/")):
        return None  # RFC 2046 section 5.2.1: no encoding for these
    data = part.body
    if data.isascii() and not has_long_line(data, 0, len(data)):
        return None
    fields = part.fields
    if part.encoding == "base64":
        plain = data.translate(None, _IGNORED)
        return (fields, base64_lines(plain)) if _BASE64.fullmatch(plain) else None
    if part.encoding == "quoted-printable":
        return fields, quoted_again(data)
    if part.encoding.startswith("x-"):
        return None
    if not part.value("content-type") and part.type == "text/plain":
        charset = _charset(data)
        if charset:
            fields = _with(fields, "Content-Type", f"text/plain; charset={charset}")
    encoding, body = encoded_body(data, text=part.type.startswith("text/"))
    return _with(fields, "Content-Transfer-Encoding", encoding), body


def safe_part(part: Part, charset: str = "") -> Message:
    """A part by itself, safe for SES; what may not be encoded is as it was.

    `charset` is that of names which are no UTF-8.
    """
    fields, body = _encoded(part) or (part.fields, part.body)
    safe = tuple([ascii_field(field, charset) for field in fields])
    return Message(safe, b"\r\n" + body)


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
    stated = folded(name, value)
    kept: list[Field] = []
    for field in fields:
        if field.key != stated.key:
            kept.append(field)
        elif stated not in kept:
            kept.append(stated)
    return tuple(kept) if stated in kept else (*kept, stated)
