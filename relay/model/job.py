"""One mail in the queue: the states it may be in, and the moves between them.

It is in exactly one state; times are seconds of the queue's own clock.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from relay.model.mail import Mail
from relay.model.outcome import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    When,
)
from relay.model.replies import expired
from relay.model.reply import Reply
from relay.model.submission import MailId


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


# A named tuple: made for each mail, and four times as soon as a frozen dataclass.
class Job(NamedTuple):
    """One mail in the queue with its history; one job is one SES call.

    `number` counts the calls of one submission from 0; they share its id.
    `report`: a report about another mail, about which there is none.
    `send_at`: not before then, as its client asked; None: at once.
    """

    id: MailId
    number: int
    mail: Mail
    accepted_at: float
    expires_at: float
    state: State
    report: bool = False
    send_at: float | None = None

    @property
    def began(self) -> float:
        """From when on its time counts."""
        return self.accepted_at if self.send_at is None else self.send_at


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


def supersede(state: Queued, *, now: float) -> Superseded:
    """End a waiting mail whose place newer mail took."""
    return Superseded(state.attempts, now, state.maybe_sent)


def confirm(state: Queued, message_id: str, *, now: float) -> Sent:
    """End a waiting mail that SES took, as its own event proves."""
    return Sent(state.attempts, now, message_id)


def expire(state: Queued, *, now: float) -> Failed:
    """Give up a mail whose end came while it waited."""
    return Failed(state.attempts, now, expired(state.last), state.maybe_sent)


def revive(state: Failed, *, now: float) -> Queued:
    """Try a mail again that was given up, because an operator says so."""
    return Queued(state.attempts, now, state.reply, state.maybe_sent)


def release(state: Sending, *, now: float) -> Queued:
    """Take back a claim before anything was attempted."""
    return Queued(state.attempts - 1, now, state.last, state.maybe_sent)
