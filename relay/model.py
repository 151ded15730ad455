"""The nouns of the relay: standard library only, no I/O, no clock."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NewType, assert_never

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
    """Which usage the mail had and which template it got; empty: none.

    `valid_for` (seconds) and `supersedes` are the template's word on how long the
    mail is worth sending, and on older mail of its usage. `variables` are the names
    of what the client gave, never the values.
    """

    usage: str = ""
    template: str = ""  # the template's usage: the mail's own, or Generic
    locale: str = ""  # the template's locale
    valid_for: float | None = None
    supersedes: bool = False
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail object (RFC 5321 section 2.3.1), ready for one SES call."""

    envelope: Envelope
    content: bytes = field(repr=False)
    options: SendOptions = SendOptions()
    choice: Choice = Choice()


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
    `at_once`: worth one more try now, since what failed is made anew by then.
    `silent`: SES itself said nothing.
    `detail` is for the log, never for the client: SES' code and text whole.
    `alarm`: an operator must act.
    """

    reply: Reply
    when: When
    maybe_sent: bool = False
    effect: Effect = Effect.NONE
    tell: bool = False
    again: bool = False
    at_once: bool = False
    silent: bool = False
    alarm: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not ever: the same mail would be refused again."""

    reply: Reply
    detail: str = ""


Outcome = Accepted | Deferred | Rejected


# Where one mail in a queue stands. It is in exactly one of these; times are seconds
# of the queue's own clock.


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting for `due`; `last` is what the previous attempt came to."""

    attempts: int
    due: float
    last: Reply | None = None
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """An attempt is under way; found like this at start, it may have been sent."""

    attempts: int  # counts this attempt
    maybe_sent: bool = False  # by an earlier attempt
    last: Reply | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """SES took it."""

    attempts: int
    at: float
    message_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Given up. The sender is owed a report (RFC 5321 section 6.1)."""

    attempts: int
    at: float
    reply: Reply
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer mail of its usage to the same recipients took its place."""

    attempts: int
    at: float
    maybe_sent: bool = False


State = Queued | Sending | Sent | Failed | Superseded


@dataclass(frozen=True, slots=True)
class Job:
    """One mail in the queue with its history; one job is one SES call.

    `number` counts the calls of one submission from 0; they share its id.
    `report`: a report about another mail, about which there is none.
    """

    id: MailId
    number: int
    mail: Mail
    accepted_at: float
    expires_at: float
    state: State
    report: bool = False


@dataclass(frozen=True, slots=True)
class Replaced:
    """A waiting mail that a newer one superseded, without its content."""

    id: MailId
    number: int
    usage: str
    recipients: tuple[str, ...]
    state: Superseded


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait before each further attempt, and when to give up; seconds."""

    delays: Mapping[When, Sequence[float]]  # the last of a sequence repeats
    give_up_after: float
    jitter: float = 0.2  # a fleet must not come back in step
    # Before the end, for one last attempt; a tenth of a short life.
    last_chance: float = 5.0

    def delay(self, when: When, attempts: int) -> float:
        """The wait after the `attempts`-th attempt."""
        delays = self.delays[when]
        base = delays[min(attempts, len(delays)) - 1]
        return base * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311

    def last_try(self, began: float, end: float) -> float:
        """When the last attempt on a mail is made at the latest."""
        return end - min(self.last_chance, (end - began) / 10)

    def end(self, began: float, valid_for: float | None) -> float:
        """When a mail is given up whose time began at `began`."""
        return began + min(self.give_up_after, valid_for or self.give_up_after)


# The moves. Each takes only the state it may start from: an illegal move is a type
# error, and the store repeats the same condition in its WHERE clause.


def claim(state: Queued) -> Sending:
    """Begin an attempt."""
    return Sending(state.attempts + 1, state.maybe_sent, state.last)


def settle(
    state: Sending,
    outcome: Outcome,
    *,
    now: float,
    last_try: float,
    policy: RetryPolicy,
) -> Queued | Sent | Failed:
    """End an attempt; the last one of all begins at `last_try`."""
    match outcome:
        case Accepted(message_id):
            return Sent(state.attempts, now, message_id)
        case Rejected(reply):
            return Failed(state.attempts, now, reply, state.maybe_sent)
        case Deferred(reply, when, maybe_sent):
            maybe_sent = maybe_sent or state.maybe_sent
            if now < last_try:
                due = min(now + policy.delay(when, state.attempts), last_try)
                return Queued(state.attempts, due, reply, maybe_sent)
            return Failed(state.attempts, now, expired(reply), maybe_sent)
        case _:
            assert_never(outcome)


def expire(state: Queued, *, now: float) -> Failed:
    """Give up a mail whose end came while it waited."""
    return Failed(state.attempts, now, expired(state.last), state.maybe_sent)


def revive(state: Failed, *, now: float) -> Queued:
    """Try a mail again that was given up, because an operator says so."""
    return Queued(state.attempts, now, state.reply, state.maybe_sent)


def release(state: Sending, *, now: float) -> Queued:
    """Take back a claim before anything was attempted."""
    return Queued(state.attempts - 1, now, state.last, state.maybe_sent)


def expired(last: Reply | None) -> Reply:
    """The reply of a mail whose time is over (RFC 3463: X.4.7)."""
    text = "Delivery time expired"
    return Reply(554, "4.7", f"{text}; last: {last.text}" if last else text)
