"""The MIME structure of a mail: its parts, by their places in the content.

Nothing is copied until a part's body is asked for, however deep the parts nest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property

from relay.content.header import Field, Message, fields_of
from relay.content.parameters import first_word, parameter, parameter_bytes
from relay.model.replies import (
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_PARTS,
    TOO_DEEP,
    TOO_MANY_PARTS,
)
from relay.model.reply import Refused

# A signature or a cipher covers what is in these.
_SEALED = frozenset({"multipart/signed", "multipart/encrypted"})
_ALTERNATIVE = "multipart/alternative"
# As nearly all are: nothing beside it, and nothing odd in it.
_PLAIN_BOUNDARY = re.compile(
    r'[A-Za-z/-]++;\s*+boundary=("?+)([A-Za-z0-9_=.:+/-]++)\1', re.ASCII
)
_KIND = re.compile(r"[^/]+/[^/]+")
_DELIMITER = rb"\r\n--%b(--)?[ \t]*+(?=\r\n|\Z)"


@dataclass(frozen=True)
class Part:
    """A part, or the mail itself at depth 0.

    `content` is the whole mail's; the part is what stands from `start` to `end`,
    its body begins at `body_start`. `sealed`: nothing in it may change. `leaf`: it
    was not taken apart; a mail inside a mail never is. `within` is the type of the
    multipart around it, `place` its place in that, `alternative` where the outermost
    multipart/alternative around it starts, -1 for none.
    """

    fields: tuple[Field, ...]
    content: bytes = dataclass_field(repr=False)
    start: int
    body_start: int
    end: int
    default: str = "text/plain"
    depth: int = 0
    sealed: bool = False
    leaf: bool = True
    within: str = ""
    place: int = 0
    alternative: int = -1

    @property
    def body(self) -> bytes:
        """A copy of the body, still in its transfer encoding."""
        return self.content[self.body_start : self.end]

    @cached_property
    def type(self) -> str:
        """In lower case; the default where none, or a broken one, is given."""
        word = first_word(self.value("content-type"))
        return word if _KIND.fullmatch(word) else self.default

    @cached_property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in lower case, "" where none is given."""
        return first_word(self.value("content-transfer-encoding"))

    @cached_property
    def disposition(self) -> str:
        """`attachment`, `inline`, or ""."""
        return first_word(self.value("content-disposition"))

    @cached_property
    def content_id(self) -> str:
        """The Content-ID without its brackets."""
        return self.value("content-id").strip().strip("<>")

    def value(self, key: str) -> str:
        """The first field's value of this lower-case name, "" where there is none."""
        field = self._first.get(key)
        return "" if field is None else field.value

    @cached_property
    def _first(self) -> dict[str, Field]:
        return {field.name.lower(): field for field in reversed(self.fields)}

    def parameter(self, name: str, header: str = "content-type") -> str:
        """A parameter, quoted or as RFC 2231 has it; "" when it is not given."""
        value = self.value(header)
        if name not in value.lower():
            return ""
        return parameter(value, name, self.charset if name != "charset" else "")

    @cached_property
    def charset(self) -> str:
        """The label of its text, "" where none is given."""
        return self.parameter("charset")

    @cached_property
    def is_named(self) -> bool:
        """Whether it has a file's name."""
        return bool(
            self.parameter("filename", "content-disposition") or self.parameter("name")
        )

    @property
    def boundary(self) -> bytes:
        """What separates the parts of a multipart; empty: it has none."""
        if not self.type.startswith("multipart/"):
            return b""
        value = self.value("content-type")
        if match := _PLAIN_BOUNDARY.fullmatch(value):
            return match[2].encode("ascii")
        text, label = parameter_bytes(value, "boundary", one_word=True)
        return text.rstrip() if label is None else text


def structure(message: Message) -> list[Part]:
    """The mail and all its parts, in their order; Refused over the limits."""
    rest = message.rest
    body = 2 if rest.startswith(b"\r\n") else 0
    found: list[Part] = []
    waiting = [Part(message.fields, rest, 0, body, len(rest))]
    count = 0
    while waiting:
        part = waiting.pop()
        boundary = part.boundary
        spans = _spans(rest, boundary, part.body_start, part.end) if boundary else []
        found.append(replace(part, leaf=False) if spans else part)
        if not boundary:
            continue
        if part.depth >= MAX_DEPTH:
            raise Refused(TOO_DEEP)
        count += len(spans)
        if count > MAX_PARTS:
            raise Refused(TOO_MANY_PARTS)
        default = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
        sealed = part.sealed or part.type in _SEALED
        alternative = part.alternative
        if alternative < 0 and part.type == _ALTERNATIVE:
            alternative = part.start
        inner = []
        for place, (start, end) in enumerate(spans):
            fields, body = _part_header(rest, start, end)
            inner.append(
                Part(
                    fields,
                    rest,
                    start,
                    body,
                    end,
                    default=default,
                    depth=part.depth + 1,
                    sealed=sealed,
                    within=part.type,
                    place=place,
                    alternative=alternative,
                )
            )
        waiting += reversed(inner)
    return found


def _spans(
    content: bytes, boundary: bytes, start: int, end: int
) -> list[tuple[int, int]]:
    """Where the parts between the delimiter lines are (RFC 2046 section 5.1.1)."""
    # One search by one pattern: lines that only begin like a delimiter may come in
    # millions, too many to look at each from here.
    delimiter = re.compile(_DELIMITER % re.escape(boundary))
    # The first may stand at the very start of the body; the line end before it then
    # is that of the header.
    if start >= 2 and content.startswith(b"\r\n", start - 2):
        start -= 2
    spans: list[tuple[int, int]] = []
    part = -1
    for match in delimiter.finditer(content, start, end):
        if part >= 0:
            spans.append((part, max(part, match.start())))
        if match[1] or len(spans) > MAX_PARTS:
            return spans
        # The line end of this delimiter, which the pattern leaves, may begin the next.
        part = min(match.end() + 2, end)
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
