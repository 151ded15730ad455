"""The header of an RFC 5322 content as raw bytes: fields in and out, nothing moved.

Joining the parts of a `Message` gives back each byte of what was parsed.
What makes sense of MIME is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import IncrementalNewlineDecoder
from typing import NamedTuple

from relay.model.replies import (
    HEADER_TOO_LARGE,
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    TOO_MANY_FIELDS,
)
from relay.model.reply import Refused

_PIECE = 1 << 18  # bytes that are looked at at once


# A field's name, perhaps white space (RFC 5322 section 4.5), then the colon. What
# begins as a control header is one, whatever stands in its name and even without
# its colon: it must be found to be removed.
_NAME = re.compile(
    rb"([!-9;-~]+)[ \t\r\n]*:"
    rb"|((?i:x-(?:(?:relay|ses|mc|mailgun|pm)-|smtpapi))[^:\r\n]*):"
    rb"|((?i:x-(?:(?:relay|ses|mc|mailgun|pm)-|smtpapi))[A-Za-z0-9_-]*)"
)
_BLANKS = re.compile(rb"[ \t]*")
# A field as nearly all are: its name, the colon at once, whole lines.
_PLAIN_FIELD = re.compile(
    rb"^(([!-9;-~]++):[^\r]*+\r\n(?:[ \t][^\r]*+\r\n)*)", re.MULTILINE
)
# Lines that tell a header whose first line is broken from a text without a header.
_KNOWN = re.compile(
    rb"(?im)^(?:from|to|cc|bcc|subject|date|message-id|mime-version|reply-to|sender"
    rb"|received|return-path|content-[a-z-]+|resent-[a-z-]+|x-[!-9;-~]+)[ \t]*:"
)


class Field(NamedTuple):
    """One header field; `raw` is all of it, folds and final CRLF included.

    A line that is no field, among others that are, has an empty name.
    A named tuple, as a mail has a dozen: a frozen dataclass takes longer to make.
    """

    name: str
    raw: bytes

    @property
    def key(self) -> str:
        """The name in lower case."""
        return self.name.lower()

    @property
    def value(self) -> str:
        """The body of the field, unfolded; what is not UTF-8 as surrogates."""
        body = self.raw.partition(b":")[2] if self.name else self.raw
        text = body.decode("utf-8", "surrogateescape")
        return text.replace("\r\n", "").strip(" \t")


@dataclass(frozen=True, slots=True)
class Message:
    """`rest` is the empty line, if there is one, and the body."""

    fields: tuple[Field, ...]
    rest: bytes

    @property
    def body(self) -> bytes:
        """What follows the empty line."""
        return self.rest.removeprefix(b"\r\n")

    @property
    def content(self) -> bytes:
        """The whole, each byte as it was parsed."""
        return b"".join([*(field.raw for field in self.fields), self.rest])

    def first(self, name: str) -> Field | None:
        """The first field of this name, in any case."""
        key = name.lower()
        for field in self.fields:
            if field.name.lower() == key:
                return field
        return None

    def all(self, name: str) -> tuple[Field, ...]:
        """All fields of this name, in any case."""
        key = name.lower()
        return tuple([field for field in self.fields if field.name.lower() == key])


def normalise(content: bytes) -> bytes:
    """Make CRLF of every bare CR and LF; CR CR LF is two line ends."""
    # By the decoder and in pieces: counting line ends takes longer, and no other
    # thread has its turn meanwhile.
    found = IncrementalNewlineDecoder(None, translate=False)
    for start in range(0, len(content), _PIECE):
        found.decode(content[start : start + _PIECE].decode("latin-1"))
    found.decode("", final=True)
    if found.newlines in (None, "\r\n"):
        return content
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return lines.replace(b"\n", b"\r\n")


def header_of(content: bytes) -> bytes:
    """The header section: all before the first empty line, or nothing.

    A broken line in it does not end it, because to some receivers it does not
    either, and a control header after it must not reach them. But a text whose
    first line is no field, with no well-known field below, has no header.
    """
    if content.startswith(b"\r\n"):
        return b""
    end = content.find(b"\r\n\r\n")
    size = len(content) if end < 0 else end + 2
    first = content.find(b"\r\n", 0, size)
    if _NAME.match(content, _indent(content), first if first >= 0 else size):
        return content[:size]
    known = _KNOWN.search(content, 0, min(size, MAX_HEADER_BYTES))
    return content[:size] if known else b""


def parse(content: bytes) -> Message:
    """Take `content`, whose lines end in CRLF, apart.

    Raises Refused for a header over the limits.
    """
    header = header_of(content)
    return Message(limited_fields(header), content[len(header) :])


def limited_fields(header: bytes) -> tuple[Field, ...]:
    """Split a header section. Raises Refused when it is over the limits."""
    if len(header) > MAX_HEADER_BYTES:
        raise Refused(HEADER_TOO_LARGE)
    fields = fields_of(header)
    if len(fields) > MAX_FIELDS:
        raise Refused(TOO_MANY_FIELDS)
    return fields


def fields_of(header: bytes) -> tuple[Field, ...]:
    """Split a header section, without a look at its size."""
    # By one pattern: all fields of most mail in less time than one after the other.
    fields: list[Field] = []
    position = 0
    for raw, name in _PLAIN_FIELD.findall(header):
        # Past its own constructor, which is a function of Python and takes twice this.
        fields.append(tuple.__new__(Field, (name.decode("ascii"), raw)))
        position += len(raw)
    if position == len(header):
        return tuple(fields)
    fields = []
    position = 0
    while position < len(header):
        end = _field_end(header, position)
        # White space before the very first name continues nothing.
        match = _NAME.match(header, position or _indent(header), end)
        name = match[match.lastindex or 0].decode("latin-1") if match else ""
        fields.append(Field(name.rstrip(), header[position:end]))
        position = end
    return tuple(fields)


def fields_named(name: str, header: bytes, lower: bytes) -> list[Field]:
    """The fields of this name, in lower case, as `fields_of` would find them.

    Found in the bytes, since to take a header apart costs several times as much;
    `lower` is the header in lower case.
    """
    if not name:  # each line would begin with it, the end of the last one too
        return []
    if header[:1] in (b" ", b"\t"):
        return [field for field in fields_of(header) if field.key == name]
    wanted, length = _line_with(name)
    found: list[Field] = []
    # Behind the line end before it; 1, where no field can begin: there is none.
    start = 0 if lower.startswith(wanted[2:]) else lower.find(wanted) + 2
    while start != 1:
        end = _field_end(header, start)
        after = start + length
        if header[after : after + 1] == b":" or (
            header[after:end].lstrip(b" \t\r\n").startswith(b":")
        ):
            found.append(Field(name, header[start:end]))
        start = lower.find(wanted, end - 2) + 2
    return found


@lru_cache(maxsize=256)  # a relay asks for few, and for each mail
def _line_with(name: str) -> tuple[bytes, int]:
    """How a line begins behind the last one's end, and the length of the name."""
    encoded = name.encode("utf-8", "replace")
    return b"\r\n" + encoded, len(encoded)


def _indent(header: bytes) -> int:
    """How much white space stands before the first name."""
    if not header.startswith((b" ", b"\t")):
        return 0
    match = _BLANKS.match(header)
    return match.end() if match else 0


def _field_end(header: bytes, start: int) -> int:
    """Where the field that starts there ends, its folded lines included."""
    end = start
    while True:
        line_end = header.find(b"\r\n", end)
        if line_end < 0:
            return len(header)
        end = line_end + 2
        if header[end : end + 1] not in (b" ", b"\t"):
            return end


def with_first(fields: tuple[Field, ...], first: Field) -> tuple[Field, ...]:
    """A field before all others, but after what must come first or would join it."""
    place = 0
    while place < len(fields) and (
        not fields[place].name or fields[place].raw[:1] in (b" ", b"\t")
    ):
        place += 1  # an mbox "From " line, or a line that white space begins
    before = list(fields[:place])
    if before:
        before[-1] = ended(before[-1])
    return (*before, first, *fields[place:])


def with_last(fields: tuple[Field, ...], last: Sequence[Field]) -> tuple[Field, ...]:
    """Fields after all others."""
    if not last or not fields:
        return (*fields, *last)
    return (*fields[:-1], ended(fields[-1]), *last)


def ended(field: Field) -> Field:
    """The last field of a header that ended with the content has no line end yet."""
    if field.raw.endswith(b"\r\n"):
        return field
    return Field(field.name, field.raw + b"\r\n")
