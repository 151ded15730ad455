"""The events of a mail, from its end to its last attempt, and who is told of them.

Observers cannot fail a mail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from relay import log
from relay.model.feedback import Feedback
from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    Sent,
    Superseded,
)
from relay.model.mail import Mail
from relay.model.note import Note
from relay.model.outcome import Outcome
from relay.model.reply import Reply
from relay.model.slip import Slip
from relay.model.submission import MailId, Submission


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Nothing becomes of the submission, and SES was not asked.

    `why`: refused by the relay itself; dropped, with a 250; or repeated, where `first`
    says what came of the same submission before.
    """

    submission: Submission
    reply: Reply
    seconds: float
    rule: str = ""  # the name of the mail's rule
    why: Literal["refused", "dropped", "repeated"] = "refused"
    first: Note | None = None
    slips: tuple[Slip, ...] = ()

    @property
    def id(self) -> MailId:
        return self.submission.id


# Named tuples: made for each mail, and sooner made than a frozen dataclass.


class Answered(NamedTuple):
    """The client of an accepted submission is told `reply`.

    `outcome` is the answer of SES behind it; None: the reply is the queue's own.
    `due`: the Unix time when it is to be sent; None: at once.
    """

    submission: Submission
    mails: tuple[Mail, ...]
    reply: Reply
    outcome: Outcome | None
    attempts: int
    seconds: float
    slips: tuple[Slip, ...] = ()
    message_ids: tuple[str, ...] = ()  # of the calls that SES took, in their order
    due: float | None = None

    @property
    def id(self) -> MailId:
        return self.submission.id


class Attempted(NamedTuple):
    """One call of SES ended; `number` counts the calls of one submission from 0.

    `by` is the account that was asked: the mail's own, or a fallback.
    """

    id: MailId
    number: int
    mail: Mail
    attempt: int  # from 1
    outcome: Outcome
    seconds: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """A job of the queue stands in `state` now.

    `outcome` None: no attempt was made; one that is sent then was so before, as SES'
    event proves. `wait`: seconds until its next attempt.
    `reports`: who gets one.
    """

    job: Job
    state: Queued | Sent | Failed | Superseded
    outcome: Outcome | None
    wait: float | None = None
    reports: tuple[str, ...] = ()

    @property
    def id(self) -> MailId:
        return self.job.id


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A waiting mail ended because the newer mail `by` supersedes it."""

    replaced: Replaced
    by: MailId

    @property
    def id(self) -> MailId:
        return self.replaced.id


class FedBack(NamedTuple):
    """SES told what became of a mail that it took; `id` is "" where nobody knows it.

    Comes more than once, in any order, and of mail of other relays as well.
    """

    id: MailId
    feedback: Feedback


Event = NotTaken | Answered | Attempted | Settled | Overtaken | FedBack


class Events:
    """Tells every observer of every event, in the order of emission."""

    def __init__(self, observers: Sequence[Callable[[Event], None]]) -> None:
        self._observers = tuple(observers)

    def add(self, observer: Callable[[Event], None]) -> None:
        """Tell one more, from now on."""
        self._observers = (*self._observers, observer)

    def emit(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - an observer cannot fail a mail
                log.broken("observer broken", error, id=event.id)
