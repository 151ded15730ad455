"""What a client hands over, before templates, and the id that it gets."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NewType

from relay.model.dsn import NOTHING_ASKED, Dsn

MailId = NewType("MailId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_id() -> MailId:
    """Make an id of 14 characters: 41 bits of milliseconds, then 29 random bits.

    Short, unique, and in the order of time.
    """
    # A name and no secret: asking the system for each would cost more than the rest.
    bits = random.getrandbits(29)
    number = (time.time_ns() // 1_000_000) << 29 | bits
    # Two letters at a time and no loop, for fewer steps.
    pairs = _PAIRS
    return MailId(
        f"{pairs[number >> 60 & 1023]}{pairs[number >> 50 & 1023]}"
        f"{pairs[number >> 40 & 1023]}{pairs[number >> 30 & 1023]}"
        f"{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}"
        f"{pairs[number & 1023]}"
    )


class Envelope(NamedTuple):
    """Reverse path (None: the null sender) and recipients (RFC 5321 section 2.3.1)."""

    sender: str | None
    recipients: tuple[str, ...]
    dsn: Dsn = NOTHING_ASKED

    def bare(self) -> Envelope:
        """The same without what only a report needs."""
        if self.dsn is NOTHING_ASKED:
            return self
        return Envelope(self.sender, self.recipients)


@dataclass(frozen=True, slots=True)
class Order:
    """A templated mail that is asked for without an original, as by HTTP.

    `defaults` stand in for variables that are not given. `send_at`: Unix seconds,
    before which it is not sent. `key`: its client's name for it, "" for none.
    """

    usage: str
    variables: Mapping[str, Any] = field(repr=False)
    locale: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    send_at: float | None = None
    key: str = ""


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
