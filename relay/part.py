"""The MIME structure of a mail as raw bytes: an entity, its type, its parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message as StdlibMessage
from functools import cached_property

from relay.message import MAX_DEPTH, MAX_PARTS, Message, parse
from relay.model import Refused, Reply

TOO_DEEP = Reply(554, "6.0", f"MIME parts nested deeper than {MAX_DEPTH}")
TOO_MANY = Reply(554, "6.0", f"More than {MAX_PARTS} MIME parts")

_TYPE = re.compile(r"\s*([!-.0-:<-~]+/[!-.0-:<-~]+)\s*(?:;|$)")


@dataclass
class Part:
    """One MIME entity. `between` holds what is around its parts: one more than them.

    Joining `between` and the parts' contents alternately gives `message.body` back.
    """

    message: Message
    parts: Sequence[Part] = ()
    between: Sequence[bytes] = field(default=(), repr=False)

    @cached_property
    def type(self) -> str:
        """In lower case; text/plain where none, or a broken one, is given."""
        one = self.message.first("content-type")
        match = _TYPE.match(one.value.lower()) if one else None
        return match[1] if match else "text/plain"

    @cached_property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in lower case, 7bit by default."""
        one = self.message.first("content-transfer-encoding")
        return one.value.lower().strip() if one else "7bit"

    @cached_property
    def disposition(self) -> str:
        one = self.message.first("content-disposition")
        return one.value.partition(";")[0].strip().lower() if one else ""

    @property
    def content_id(self) -> str:
        one = self.message.first("content-id")
        return one.value.strip().strip("<>") if one else ""

    def parameter(self, name: str, header: str = "content-type") -> str:
        """A parameter of Content-Type, RFC 2231 or quoted; "" when it is not given."""
        one = self.message.first(header)
        return parameter(one.value, name) if one else ""


def parameter(value: str, name: str) -> str:
    """A parameter out of a structured header value."""
    holder = StdlibMessage()
    clean = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        holder["Content-Type"] = clean
        found = holder.get_param(name)
    except (ValueError, IndexError, TypeError, LookupError):
        return ""
    if isinstance(found, tuple):
        return found[2]
    return found if isinstance(found, str) else ""


def structure(message: Message) -> Part:
    """Take `message` apart. Raises Refused over the limits of depth and number."""
    count = 0

    def read(one: Message, depth: int) -> Part:
        nonlocal count
        count += 1
        if depth > MAX_DEPTH:
            raise Refused(TOO_DEEP)
        if count > MAX_PARTS:
            raise Refused(TOO_MANY)
        part = Part(one)
        if not part.type.startswith("multipart/"):
            return part
        boundary = part.parameter("boundary")
        if not boundary:
            return part
        between, contents = _split(one.body, boundary.encode("utf-8", "replace"))
        if contents:
            part.parts = [read(_entity(content), depth + 1) for content in contents]
            part.between = between
        return part

    return read(message, 1)


def _entity(content: bytes) -> Message:
    if content.startswith(b"\r\n"):
        return Message((), content)
    entity = parse(content)
    if any(not one.name for one in entity.fields) and not entity.fields[0].name:
        return Message((), content)
    return entity


def _split(body: bytes, boundary: bytes) -> tuple[list[bytes], list[bytes]]:
    """What is between the parts, and the parts (RFC 2046 section 5.1.1)."""
    delimiter = b"--" + boundary
    between: list[bytes] = []
    contents: list[bytes] = []
    part_start = literal_start = 0
    inside = False
    position = 0
    while (found := body.find(delimiter, position)) >= 0:
        position = after = found + len(delimiter)
        if found and body[found - 2 : found] != b"\r\n":
            continue
        closing = body[after : after + 2] == b"--"
        if closing:
            after += 2
        line_end = body.find(b"\r\n", after)
        if body[after : line_end if line_end >= 0 else len(body)].strip(b" \t"):
            continue
        if inside:
            # The line end before a delimiter belongs to the delimiter.
            part_end = max(found - 2, part_start)
            contents.append(body[part_start:part_end])
            literal_start = part_end
        if closing or line_end < 0:
            inside = False
            break
        between.append(body[literal_start : line_end + 2])
        part_start = literal_start = position = line_end + 2
        inside = True
    if inside:  # the closing delimiter is missing: the last part goes to the end
        contents.append(body[part_start:])
        literal_start = len(body)
    between.append(body[literal_start:])
    return between, contents
