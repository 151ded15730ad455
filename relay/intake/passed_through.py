"""Mail without a template: as it came, but for what SES would refuse or break."""

from __future__ import annotations

from relay.content.header import Field, Message, with_first
from relay.content.ses_safe import (
    check_structure,
    has_long_line,
    may_exceed,
    reencode,
)
from relay.model.replies import MAX_FIELDS, MAX_HEADER_BYTES, NO_FROM
from relay.model.reply import Refused
from relay.model.submission import Envelope


def goes_as_it_is(
    content: bytes, header: bytes, lower: bytes, *, reencodes: bool
) -> bool:
    """Most mail: nothing to remove, to add, to encode, nor near a limit.

    What is looked for is in the bytes, because taking a header apart costs more
    than all of this.
    """
    return (
        len(header) <= MAX_HEADER_BYTES
        and header.count(b"\r\n") <= MAX_FIELDS
        and (lower.startswith(b"from:") or lower.find(b"\r\nfrom:") >= 0)
        and not (reencodes and breaks(content))
        and not (lower.find(b"multipart/") >= 0 and may_exceed(content))
    )


def breaks(content: bytes) -> bool:
    """Tell whether SES would break something in it."""
    return not content.isascii() or has_long_line(content, 0, len(content))


def passed(
    fields: tuple[Field, ...],
    content: bytes,
    start: int,
    envelope: Envelope,
    *,
    mend: bool,
) -> bytes:
    """These fields, and what follows the header of `content`, which ends at `start`.

    `mend`: SES would break something in it. Raises Refused.
    """
    if all(field.key != "from" for field in fields):
        if envelope.sender is None:
            raise Refused(NO_FROM)
        made = b"From: " + envelope.sender.encode("utf-8", "replace") + b"\r\n"
        fields = with_first(fields, Field("From", made))
    # A text without a header gets the line between the two.
    empty = b"" if content.startswith(b"\r\n", start) else b"\r\n"
    if start == len(content) > 0:
        empty = b""
    if mend or may_exceed(content):
        message = Message(fields, empty + content[start:])
        check_structure(message)
        if mend:
            return reencode(message).content
    # A mail of 40 MB is copied once.
    view = memoryview(content)[start:]
    return b"".join([*(field.raw for field in fields), empty, view])
