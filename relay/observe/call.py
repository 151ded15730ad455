"""One call of a mail: where it stands, and its attempts as far as they are shown."""

from __future__ import annotations

from typing import NamedTuple

from relay.model.guard import KEPT
from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred
from relay.observe.events import Attempted
from relay.observe.stats import answer_class

MAX_DETAIL = 2000  # characters of SES' own words


class Attempt(NamedTuple):
    """One call of SES; `call` counts the calls of one mail from 1."""

    call: int
    number: int
    at: float
    seconds: float
    answer: str  # its class
    reply: str
    detail: str  # SES' own words
    maybe_sent: bool
    account: str = ""  # that was asked


class Call(NamedTuple):
    """Where one call of a mail stands; `due` is Unix seconds."""

    state: str
    message_id: str = ""
    reply: str = ""
    due: float | None = None
    maybe_sent: bool = False


def attempted(event: Attempted, ended: float) -> Attempt:
    """What is shown of an attempt that ended at `ended`."""
    outcome = event.outcome
    return Attempt(
        call=event.number + 1,
        number=event.attempt,
        at=ended - event.seconds,
        seconds=event.seconds,
        answer=answer_class(outcome),
        reply="" if isinstance(outcome, Accepted) else str(outcome.reply),
        detail="" if isinstance(outcome, Accepted) else outcome.detail[:MAX_DETAIL],
        maybe_sent=isinstance(outcome, Deferred) and outcome.maybe_sent,
        account=event.by,
    )


def taken_as(mail: Mail, usual: str) -> str:
    """The state of a mail that was taken: by SES, or by the guard's inbox."""
    return "captured" if mail.options.account == KEPT else usual
