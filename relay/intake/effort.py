"""How long a submission may keep a processor, told cheaply before any of it is done.

What would hold up the other clients for longer than some milliseconds is prepared in a
thread. The prices are the dearest that were measured, in nanoseconds a byte: where in
doubt a mail goes to a thread, which costs it a tenth of a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable

from relay.content.ses_safe import has_long_line
from relay.model.submission import Order, Submission

# Nothing of this size takes long, whatever is in it.
SHORT = 2000
# All of this size does: each look at it already counts.
LARGE = 1_000_000

MOST = 5_000_000  # nanoseconds

_HEADER = 500  # encoded words, raw UTF-8, JSON
_WRAPPED = 700  # HTML that becomes text, or is put into a template
_SEARCHED = 50  # as text, by rules
_SEARCHED_HTML = 1400  # the same: it becomes text, and its links are looked for
_ENCODED = 25  # as quoted-printable or base64
_PART = 25_000  # each, not each byte

_WRAPS = frozenset({"message.text", "message.html"})


class Effort:
    """Knows what the templates and the settings make of a mail."""

    def __init__(
        self,
        variables: Iterable[str],
        *,
        usage_header: str,
        any_usage: bool,
        search_bodies: bool = False,
    ) -> None:
        """`variables` are those of all templates.

        `any_usage`: a mail may have a usage that its usage header does not name.
        `search_bodies`: rules may look at its text.
        """
        self._wraps = not _WRAPS.isdisjoint(variables)
        self._usage_header = usage_header.lower().encode()
        self._any_usage = any_usage
        self._search_bodies = search_bodies

    def is_long(self, submission: Submission) -> bool:
        """Tell whether to prepare it takes longer than some 5 ms."""
        if submission.order is not None:
            return _is_long_order(submission.order)
        content = submission.content
        size = len(content)
        if size <= SHORT:
            return False
        if size > LARGE:
            return True
        end = content.find(b"\r\n\r\n")
        header = size if end < 0 else end
        work = header * _HEADER
        if work > MOST:
            return True
        body = size - header
        lower = content[:header].lower()
        if lower.find(b"multipart/") >= 0:
            work += content.count(b"\r\n--") * _PART
        if self._search_bodies:
            work += body * (_SEARCHED_HTML if _has_html(content) else _SEARCHED)
        if self._wraps and (
            self._any_usage or submission.usage or lower.find(self._usage_header) >= 0
        ):
            work += body * _WRAPPED
        elif body * _ENCODED > MOST - work and (
            not content.isascii() or has_long_line(content, header, size)
        ):
            return True
        return work > MOST


def _has_html(content: bytes) -> bool:
    """Whether a part may say that it is; the type is nearly always written so."""
    return content.find(b"html") >= 0 or content.find(b"HTML") >= 0


def _is_long_order(order: Order) -> bool:
    """By the text and the number of its values, as far as the limit."""
    most = MOST // _ENCODED
    size = 0
    waiting: list[object] = [order.variables]
    while waiting and size <= most:
        value = waiting.pop()
        size += len(value) if isinstance(value, str) else 10
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return size > most
