"""What a client hands over, before templates; standard library only, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

MailId = NewType("MailId", str)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Reverse path (None: the null sender) and recipients (RFC 5321 section 2.3.1)."""

    sender: str | None
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """A templated mail that is asked for without an original, as by HTTP.

    `defaults` stand in for variables that are not given.
    """

    usage: str
    variables: Mapping[str, Any] = field(repr=False)
    locale: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)


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
