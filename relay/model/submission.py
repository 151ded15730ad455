"""What a client hands over, before templates; standard library only, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NewType

if TYPE_CHECKING:  # only mail by HTTP has one
    from relay.model.order import Order

MailId = NewType("MailId", str)


class Envelope(NamedTuple):
    """Reverse path (None: the null sender) and recipients (RFC 5321 section 2.3.1)."""

    sender: str | None
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client handed over in one transaction, before templates.

    `usage` is the user's or the listener's; the mail's own header goes before it.
    `received_at` is Unix seconds, `peer` the client's address without its port.
    """

    id: MailId
    envelope: Envelope
    content: bytes = field(repr=False)
    peer: str = ""
    received_at: float = 0.0
    listener: str = ""
    usage: str = ""
    user: str = ""  # who logged in
    order: Order | None = None  # there is no content then
