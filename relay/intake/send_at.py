"""When a mail is to be sent: what its client asks for, and how far ahead it may be."""

from __future__ import annotations

from collections.abc import Sequence

from relay.content.encoded_words import decoded
from relay.content.header import Field
from relay.content.moment import moment
from relay.intake.control_field import INDENTED_CONTROL, value_of
from relay.model.replies import bad_header

HEADER = "X-Relay-Send-At"
LONGEST = 30 * 86_400  # seconds ahead


def asked(fields: Sequence[Field]) -> float | None:
    """The Unix seconds that the header says; None: it says nothing. Raises Refused."""
    texts = [
        decoded(value_of(field, HEADER, INDENTED_CONTROL)).strip() for field in fields
    ]
    if not any(texts):
        return None
    if len(texts) > 1:
        raise bad_header(HEADER, "given more than once")
    try:
        return moment(texts[0])
    except ValueError:
        raise bad_header(
            HEADER,
            "no time such as 2026-01-31T09:00:00Z or 1769850000, or a Date with its "
            "offset",
        ) from None


def later(at: float | None, now: float) -> float | None:
    """The same where it is ahead; None: now. Raises Refused where it is too far."""
    if at is None or at <= now:
        return None
    if at > now + LONGEST:
        raise bad_header(HEADER, f"more than {LONGEST // 86_400} days ahead")
    return at
