"""What a mail that was refused had asked for, as its story tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.content.encoded_words import decoded
from relay.content.header import Field, fields_of, header_of, normalise
from relay.intake.control_field import MAX_USAGE
from relay.model.replies import MAX_HEADER_BYTES
from relay.model.submission import Submission
from relay.observe.asked import Asked

# What follows it in a broken field's name may be a value.
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def asked(submission: Submission, usage_header: str, *, captures: bool) -> Asked:
    """Its usage and header fields; subject and values in capture mode alone.

    A usage is shown wherever there is one, so it is no secret; what a broken header
    has in the lines below it may be.
    """
    if submission.order is not None:
        return Asked(submission.order.usage[:MAX_USAGE])
    content = normalise(submission.content[:MAX_HEADER_BYTES])
    fields = fields_of(header_of(content))
    usage = next(_usages(fields, usage_header), "")
    if captures:
        headers = [
            (field.name, decoded(field.value).strip()) for field in fields if field.name
        ]
        subject = next(
            (text for name, text in headers if name.lower() == "subject"), ""
        )
        return Asked(usage, subject, headers)
    usages = _usages(fields, usage_header)
    headers = []
    for field in fields:
        is_usage = field.key == usage_header.lower()
        if name := _NAME.match(field.name):
            headers.append((name[0], next(usages) if is_usage else ""))
    return Asked(usage, "", headers)


def _usages(fields: tuple[Field, ...], usage_header: str) -> Iterator[str]:
    """What each of the usage headers says in its first line."""
    for field in fields:
        if field.key == usage_header.lower():
            line = field.raw.partition(b":")[2].partition(b"\r\n")[0]
            text = decoded(line.decode("utf-8", "surrogateescape"))
            yield text.strip()[:MAX_USAGE]
