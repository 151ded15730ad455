"""What one attempt came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from relay.model.reply import Reply


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
    `elsewhere`: certainly not sent, and another account may take what this one does
    not take from anybody at present.
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
    elsewhere: bool = False
    alarm: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not ever: the same mail would be refused again."""

    reply: Reply
    detail: str = ""


Outcome = Accepted | Deferred | Rejected
