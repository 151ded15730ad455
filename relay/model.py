"""The nouns of the relay: standard library only, no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NewType

MailId = NewType("MailId", str)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 section 4.2) with its enhanced code (RFC 3463).

    The class digit lives in `code` alone, so the two codes cannot disagree.
    """

    code: int
    detail: str  # "3.0": subject and detail, without the class digit
    text: str

    def __post_init__(self) -> None:
        # One printable ASCII line: a CR or LF here would forge a second reply.
        if not (self.text.isascii() and self.text.isprintable()):
            raise ValueError(f"not a reply text: {self.text!r}")

    def __str__(self) -> str:
        return f"{self.code} {self.code // 100}.{self.detail} {self.text}"


class Refused(Exception):  # noqa: N818 - a statement about the mail, not an error
    """The client is told `reply` and nothing is kept; caught once, in `accept`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def printable(text: str) -> str:
    """Make one line of printable ASCII of `text`, as a reply needs it."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Reverse path (None: the null sender) and recipients (RFC 5321 section 2.3.1)."""

    sender: str | None
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListManagement:
    """SES' ListManagementOptions."""

    contact_list: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What this one mail says about its SES call; empty: as the settings say.

    All but `tags` comes from a client's X-SES-* headers, so a name that SES does
    not find here is the client's mistake, not the operator's.
    `tags` is complete: settings, client and usage merged, in this order.
    """

    configuration_set: str = ""
    from_arn: str = ""
    feedback_arn: str = ""
    tenant: str = ""
    list_management: ListManagement | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which usage the mail had and which template it got; empty: none."""

    usage: str = ""
    template: str = ""  # the template's usage: the mail's own, or Generic
    locale: str = ""  # the template's locale


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail object (RFC 5321 section 2.3.1), ready for one SES call."""

    envelope: Envelope
    content: bytes = field(repr=False)
    options: SendOptions = SendOptions()
    choice: Choice = Choice()


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


# What one attempt came to.


@dataclass(frozen=True, slots=True)
class Accepted:
    """SES took responsibility; from here on it is SES's mail."""

    message_id: str


class When(Enum):
    """Which of the settings' delays apply before the next attempt."""

    SOON = "soon"
    SLOWLY = "slowly"
    UNSEEN = "unseen"


class Effect(Enum):
    """What an answer does to the pace of all mail."""

    NONE = "none"
    SLOWER = "slower"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: time or an operator can repair it.

    `reply` is what a client hears that waits for SES' own answer (queue `none`);
    it may be a 5xx. `when` alone decides what a queue does. `tell`: with a queue
    too, a client that still waits hears it, and the mail goes.
    `again`: certainly not sent, and worth another try within seconds.
    `detail` is for the log, never for the client: SES' code and text whole.
    `alarm`: an operator must act.
    """

    reply: Reply
    when: When
    maybe_sent: bool = False
    effect: Effect = Effect.NONE
    tell: bool = False
    again: bool = False
    alarm: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not ever: the same mail would be refused again."""

    reply: Reply
    detail: str = ""


Outcome = Accepted | Deferred | Rejected
