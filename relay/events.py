"""What happened to a mail; told to observers, who cannot fail it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from relay import log
from relay.model import Mail, Outcome, Reply, Submission


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay itself refused the submission; SES was not asked."""

    submission: Submission
    reply: Reply
    seconds: float


@dataclass(frozen=True, slots=True)
class Settled:
    """The attempts on a mail ended, and the client is told `reply`."""

    submission: Submission
    mail: Mail
    outcome: Outcome
    reply: Reply
    attempts: int
    seconds: float
    warnings: tuple[str, ...] = ()


Event = Refused | Settled


class Events:
    """Tells every observer of every event, in the order of emission."""

    def __init__(self, observers: Sequence[Callable[[Event], None]]) -> None:
        self._observers = tuple(observers)

    def emit(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - an observer cannot fail a mail
                log.broken("observer broken", error, id=event.submission.id)
