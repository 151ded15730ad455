"""Mail data (RFC 5321 section 4.1.1.4): collected as it comes, bounded, unstuffed."""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.model.replies import NO_ROOM
from relay.model.reply import Reply
from relay.smtp import replies
from relay.smtp.memory import Share

END = b"\r\n.\r\n"
DOT = b"\r\n."
_DOTTED = re.compile(re.escape(DOT))  # found in half the time that `bytes.find` takes
# A chunk below this joins the one before it: each that is kept by itself costs some
# 50 bytes more, which the account does not see, and a client chooses how many come.
SMALL = 4096


class Data(NamedTuple):
    """What came between DATA and its final dot; `content` is empty with a fault."""

    content: bytes
    too_large: bool = False
    line_too_long: bool = False
    no_room: bool = False

    @property
    def refusal(self) -> Reply | None:
        """What the client is told of a fault."""
        if self.too_large:
            return replies.TOO_LARGE
        if self.line_too_long:
            return replies.LINE_TOO_LONG
        return NO_ROOM if self.no_room else None


class Collector:
    """Collects mail data up to CRLF . CRLF; dots are unstuffed (section 4.5.2).

    A fault does not end the collecting, only the keeping.
    """

    def __init__(self, account: Share, *, size: int, line_length: int) -> None:
        self._account = account
        self._size = size
        self._line_length = line_length
        self._chunks: list[bytes | bytearray] = []
        self._tail = b"\r\n"  # so that a dot on the first line is at a line's start
        self._kept = self._stuffed = self._line = 0
        self._too_large = self._line_too_long = self._no_room = False
        self._dotted = False  # a line begins with a dot, which may be the last
        self.received = 0

    def feed(self, chunk: bytes) -> int | None:
        """Take in `chunk`; how much of it the data's end left, None before the end."""
        tail = self._tail
        window = tail + chunk
        # One search for all that begins with a dot: each goes through the whole mail,
        # and few mails have any. A byte alone is found many times faster, and what is
        # in base64 has none.
        dot = window.find(b".")
        if dot >= 0:
            dotted = _DOTTED.search(window, max(dot - 2, 0))
            dot = dotted.start() if dotted else -1
        end = window.find(END, dot) if dot >= 0 else -1
        self._dotted |= dot != end
        left = None
        if end >= 0:
            cut = end + len(END) - len(tail)
            left = len(chunk) - cut
            chunk = chunk[:cut]
        self.received += len(chunk)
        if not self._line_too_long:
            self._line, self._line_too_long = _longest(
                chunk, self._line, self._line_length + 2
            )
        # Stuffed dots do not count (RFC 1870 section 3). One may stand across two
        # chunks, hence the 1; the exact size is checked at the end.
        if not self._faulty:
            self._kept += len(chunk)
            self._stuffed += 1
            if dot >= 0:
                self._stuffed += chunk.count(DOT, max(dot - len(tail), 0))
            self._too_large = self._kept - self._stuffed > self._size + len(END)
            self._no_room = not self._too_large and not self._account.take(len(chunk))
        if self._faulty:
            self._chunks.clear()
            self._account.close()
        else:
            self._keep(chunk)
        self._tail = window[-4:]
        return left

    def _keep(self, chunk: bytes) -> None:
        chunks = self._chunks
        if len(chunk) >= SMALL or not chunks or len(chunks[-1]) >= SMALL:
            chunks.append(chunk)
            return
        last = chunks[-1]
        if not isinstance(last, bytearray):
            last = chunks[-1] = bytearray(last)
        last += chunk

    @property
    def _faulty(self) -> bool:
        return self._too_large or self._line_too_long or self._no_room

    def taken(self) -> Data:
        """What was collected, once the end has come."""
        if self._faulty:
            return Data(b"", self._too_large, self._line_too_long, self._no_room)
        content = self._unstuffed()
        return Data(b"", True) if len(content) > self._size else Data(content)

    def _unstuffed(self) -> bytes:
        """The content, without the final dot's line."""
        chunks, self._chunks = self._chunks, []
        # Before they are joined: a copy of a large mail holds up all others.
        _cut_end(chunks, len(END) - 2)
        if chunks and chunks[0].startswith(b"."):
            chunks[0] = chunks[0][1:]
        content = b"".join(chunks)
        # Only after CRLF: a dot after a bare LF or CR was not stuffed.
        return content.replace(DOT, b"\r\n") if self._dotted else content


def _longest(chunk: bytes, before: int, limit: int) -> tuple[int, bool]:
    """Length of the line that `chunk` leaves open; whether one was over `limit`."""
    first = chunk.find(b"\n")
    if first < 0:
        open_line = before + len(chunk)
        return open_line, open_line > limit
    over = before + first + 1 > limit
    if not over and len(chunk) > limit:
        over = any(len(line) + 1 > limit for line in chunk.split(b"\n"))
    return len(chunk) - chunk.rfind(b"\n") - 1, over


def _cut_end(chunks: list[bytes | bytearray], size: int) -> None:
    """Take `size` bytes off the end, and chunks that are empty then."""
    while size:
        last = chunks.pop()
        kept = last[:-size]
        size -= len(last) - len(kept)
        if kept:
            chunks.append(kept)
