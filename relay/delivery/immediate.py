"""Without a queue: SES' answer is the reply, and 250 means that SES took the mail."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import assert_never

from relay import log
from relay.delivery import attempt
from relay.delivery.line import Line
from relay.delivery.pace import Pace
from relay.delivery.transport import Transport
from relay.model.mail import Mail, Prepared
from relay.model.outcome import (
    Accepted,
    Deferred,
    Effect,
    Outcome,
    Rejected,
    When,
)
from relay.model.replies import NO_QUEUE, SHUTTING_DOWN, ok
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe.events import Answered, Attempted, Events, NotTaken
from relay.queue import Notes

# Seconds between the attempts of one mail while its client waits; the last repeats.
PAUSES = (0.5, 1.0)


class ImmediateDelivery:
    """Attempts while the client waits.

    `attempt_seconds` tells how long an attempt on a mail may take at most.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        events: Events,
        pace: Pace,
        answer_within: float,
        concurrency: int,
        attempt_seconds: Callable[[Mail], float],
        notes: Notes,
        accepted_as: str = "Ok",
    ) -> None:
        self._transport = transport
        self._events = events
        self._pace = pace
        self._answer_within = answer_within
        self._line = Line(pace, concurrency)
        self._attempt_seconds = attempt_seconds
        self._notes = notes
        self._accepted_as = accepted_as
        self._stop_at: float | None = None

    def stop_within(self, seconds: float) -> None:
        """Begin no attempt that could not end within `seconds` from now."""
        self._stop_at = time.monotonic() + seconds

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """Send the mail, and give SES' answer; to whom matters not."""
        if prepared.send_at is not None:
            seconds = time.monotonic() - started
            self._events.emit(NotTaken(submission, NO_QUEUE, seconds))
            return NO_QUEUE
        (mail,) = prepared.mails  # without a queue a mail has at most 50 recipients
        outcome, attempts = await self._attempts(mail, submission, started)
        match outcome:
            case Accepted(message_id):
                reply = ok(message_id, self._accepted_as)
            case Deferred(reply) | Rejected(reply):
                pass
            case _:
                assert_never(outcome)
        message_id = outcome.message_id if isinstance(outcome, Accepted) else ""
        note = prepared.note(submission.id, reply, message_id)
        if note is not None:
            await self._notes.note(note)
        self._events.emit(
            Answered(
                submission,
                prepared.mails,
                reply,
                outcome,
                attempts,
                time.monotonic() - started,
                prepared.warnings,
            )
        )
        return reply

    async def _attempts(
        self, mail: Mail, submission: Submission, started: float
    ) -> tuple[Outcome, int]:
        """Attempt until SES decided, or until `answerWithin` is over."""
        deadline = started + self._answer_within
        count = 0
        while True:
            if not self._may_begin(mail):
                return Deferred(SHUTTING_DOWN, When.SOON), count
            no_turn = await self._line.wait(
                mail.choice.priority, len(mail.envelope.recipients), before=deadline
            )
            if no_turn is not None:
                return Deferred(no_turn, When.SOON), count
            try:
                if not self._may_begin(mail):
                    return Deferred(SHUTTING_DOWN, When.SOON), count
                count += 1
                outcome = await self._attempt(mail, submission, count)
            finally:
                self._line.leave()
            pause = PAUSES[min(count, len(PAUSES)) - 1]
            if (
                not (isinstance(outcome, Deferred) and outcome.again)
                or time.monotonic() + pause > deadline
            ):
                return outcome, count
            log.line(logging.DEBUG, "again", id=submission.id, reply=str(outcome.reply))
            await asyncio.sleep(pause)

    async def _attempt(
        self, mail: Mail, submission: Submission, number: int
    ) -> Outcome:
        began = time.monotonic()
        outcome = await attempt(self._transport, mail, submission.id)
        ended = time.monotonic()
        if isinstance(outcome, Deferred) and outcome.effect is Effect.SLOWER:
            self._pace.throttled(began, ended)
        self._events.emit(
            Attempted(submission.id, 0, mail, number, outcome, ended - began)
        )
        return outcome

    def _may_begin(self, mail: Mail) -> bool:
        if self._stop_at is None:
            return True
        return time.monotonic() + self._attempt_seconds(mail) <= self._stop_at
