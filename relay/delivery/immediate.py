"""Without a queue: SES' answer is the reply, and 250 means that SES took the mail."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from relay import log
from relay.delivery import attempt
from relay.delivery.detour import Detour
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


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How one account's mail leaves; accounts of one gate have one line and pace.

    `attempt_seconds` tells how long an attempt on a mail may take at most. `fallback`
    takes its mail where `detour` says so.
    """

    account: str
    transport: Transport
    pace: Pace
    line: Line
    attempt_seconds: Callable[[Mail], float]
    detour: Detour
    fallback: Route | None = None
    accepted_as: str = "Ok"


class ImmediateDelivery:
    """Attempts while the client waits. The first of `routes` is that of `[ses]`."""

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        events: Events,
        answer_within: float,
        notes: Notes,
    ) -> None:
        self._routes = {route.account: route for route in routes}
        self._events = events
        self._answer_within = answer_within
        self._notes = notes
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
        """Send the mail, and give SES' answer; to whom matters not.

        Without a queue a mail has at most 50 recipients, so that it is one call; with
        a guard, what it keeps or redirects is one before it. If that is taken and the
        mail itself is not, the client sends both again: nobody gets a mail twice but
        who looks at what the guard held back.
        """
        if prepared.send_at is not None:
            seconds = time.monotonic() - started
            self._events.emit(NotTaken(submission, NO_QUEUE, seconds))
            return NO_QUEUE
        attempts, message_ids = 0, []
        for number in reversed(range(len(prepared.mails))):
            mail = prepared.mails[number]
            route = self._routes[mail.options.account]
            outcome, count = await self._attempts(
                route, mail, submission, number, started
            )
            attempts = max(attempts, count)
            match outcome:
                case Accepted(message_id):
                    message_ids.append(message_id)
                    reply = ok(message_id, route.accepted_as)
                case Deferred(reply) | Rejected(reply):
                    break
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
                prepared.slips,
                tuple(reversed(message_ids)),
            )
        )
        return reply

    async def _attempts(
        self,
        route: Route,
        mail: Mail,
        submission: Submission,
        number: int,
        started: float,
    ) -> tuple[Outcome, int]:
        """Attempt until SES decided, or until `answerWithin` is over."""
        deadline = started + self._answer_within
        by, count = route, 0
        own: Outcome | None = None  # what the mail's own account said
        while True:
            while by.fallback is not None and by.detour.leads_away():
                own = own or by.detour.why
                by = by.fallback
            if not self._may_begin(by, mail):
                return own or Deferred(SHUTTING_DOWN, When.SOON), count
            no_turn = await by.line.wait(
                mail.choice.priority, len(mail.envelope.recipients), before=deadline
            )
            if no_turn is not None:
                return own or Deferred(no_turn, When.SOON), count
            try:
                if not self._may_begin(by, mail):
                    return own or Deferred(SHUTTING_DOWN, When.SOON), count
                count += 1
                outcome = await self._attempt(by, mail, submission, number, count)
            finally:
                by.line.leave()
            by.detour.heed(outcome)
            if isinstance(outcome, Accepted) or getattr(outcome, "maybe_sent", False):
                return outcome, count
            elsewhere = isinstance(outcome, Deferred) and outcome.elsewhere
            if elsewhere and by.fallback is not None:
                own = own or outcome
                by = by.fallback
                if time.monotonic() > deadline:
                    return own, count
                continue
            pause = PAUSES[min(count, len(PAUSES)) - 1]
            if (
                not (isinstance(outcome, Deferred) and outcome.again)
                or time.monotonic() + pause > deadline
            ):
                # Another account takes a mail, and never refuses it.
                return own or outcome, count
            log.line(logging.DEBUG, "again", id=submission.id, reply=str(outcome.reply))
            await asyncio.sleep(pause)

    async def _attempt(
        self, route: Route, mail: Mail, submission: Submission, number: int, count: int
    ) -> Outcome:
        began = time.monotonic()
        outcome = await attempt(route.transport, mail, submission.id)
        ended = time.monotonic()
        if isinstance(outcome, Deferred) and outcome.effect is Effect.SLOWER:
            route.pace.throttled(began, ended)
        self._events.emit(
            Attempted(
                submission.id,
                number,
                mail,
                count,
                outcome,
                ended - began,
                route.account,
            )
        )
        return outcome

    def _may_begin(self, route: Route, mail: Mail) -> bool:
        if self._stop_at is None:
            return True
        return time.monotonic() + route.attempt_seconds(mail) <= self._stop_at
