"""Accept a submission, attempt its mail, and decide what the client is told.

Without a queue SES' answer is the reply: 250 means that SES took the mail.
No I/O library is imported here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import assert_never

from relay import log
from relay.events import Events, Refused, Settled
from relay.intake import Intake
from relay.model import (
    Accepted,
    Deferred,
    Mail,
    MailId,
    Outcome,
    Rejected,
    Reply,
    Submission,
    When,
)
from relay.model import Refused as RefusedMail
from relay.room import Room
from relay.transport import Transport

INTERNAL = Reply(451, "3.0", "Internal error, try again later")
TOO_MANY_CALLS = Reply(451, "3.2", "Too many calls")
NO_ROOM = Reply(452, "3.1", "Too much mail in hand, try again later")
SHUTTING_DOWN = Reply(421, "3.2", "Shutting down, try again later")

# Seconds between the attempts of one mail while its client waits; the last repeats.
PAUSES = (0.5, 1.0)
# Preparing a mail costs a few microseconds a kilobyte: more than this goes to a
# thread, so that one large mail does not hold up all the others.
LARGE = 1_000_000


class Relay:
    """The relay's own decisions, between the SMTP side and the transport.

    `attempt_seconds` tells how long an attempt on a mail may take at most.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        transport: Transport,
        events: Events,
        answer_within: float,
        concurrency: int,
        room: Room,
        attempt_seconds: Callable[[Mail], float],
        accepted_as: str = "Ok",
    ) -> None:
        self._intake = intake
        self._transport = transport
        self._events = events
        self._answer_within = answer_within
        self._calls = asyncio.Semaphore(concurrency)
        self._room = room
        self._attempt_seconds = attempt_seconds
        self._accepted_as = accepted_as
        self._stop_at: float | None = None

    def stop_within(self, seconds: float) -> None:
        """Begin no attempt that could not end within `seconds` from now."""
        self._stop_at = time.monotonic() + seconds

    async def accept(self, submission: Submission) -> Reply:
        """Send what `submission` asks for, and tell what its client is to hear."""
        size = len(submission.content)
        if size <= LARGE:
            return await self._accept(submission)
        deadline = asyncio.get_running_loop().time() + self._answer_within
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(
                    self._room.entered(size, before=deadline)
                )
            except TimeoutError:
                self._events.emit(Refused(submission, NO_ROOM, self._answer_within))
                return NO_ROOM
            return await self._accept(submission)

    async def _accept(self, submission: Submission) -> Reply:
        started = time.monotonic()
        try:
            if len(submission.content) > LARGE:
                prepared = await asyncio.to_thread(self._intake.prepare, submission)
            else:
                prepared = self._intake.prepare(submission)
        except RefusedMail as refused:
            reply = refused.reply
            self._events.emit(Refused(submission, reply, time.monotonic() - started))
            return reply
        (mail,) = prepared.mails  # without a queue a mail has at most 50 recipients
        outcome, attempts = await self._attempts(mail, submission.id, started)
        reply = self._reply(outcome)
        seconds = time.monotonic() - started
        self._events.emit(
            Settled(
                submission, mail, outcome, reply, attempts, seconds, prepared.warnings
            )
        )
        return reply

    async def attempt(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once; a bug in one mail costs that mail a delay, not the relay."""
        try:
            return await self._transport.send(mail, mail_id)
        except Exception as error:  # noqa: BLE001 - one mail's attempt is a boundary
            log.broken("attempt broken", error, id=mail_id)
            return Deferred(INTERNAL, When.SLOWLY, maybe_sent=True, alarm=True)

    async def _attempts(
        self, mail: Mail, mail_id: MailId, started: float
    ) -> tuple[Outcome, int]:
        """Attempt until SES decided, or until `answerWithin` is over."""
        deadline = started + self._answer_within
        count = 0
        while True:
            if not self._may_begin(mail):
                return Deferred(SHUTTING_DOWN, When.SOON), count
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                    await self._calls.acquire()
            except TimeoutError:
                return Deferred(TOO_MANY_CALLS, When.SOON), count
            try:
                if not self._may_begin(mail):
                    return Deferred(SHUTTING_DOWN, When.SOON), count
                count += 1
                outcome = await self.attempt(mail, mail_id)
            finally:
                self._calls.release()
            pause = PAUSES[min(count, len(PAUSES)) - 1]
            if (
                not (isinstance(outcome, Deferred) and outcome.again)
                or time.monotonic() + pause > deadline
            ):
                return outcome, count
            log.line(logging.DEBUG, "again", id=mail_id, reply=str(outcome.reply))
            await asyncio.sleep(pause)

    def _may_begin(self, mail: Mail) -> bool:
        if self._stop_at is None:
            return True
        return time.monotonic() + self._attempt_seconds(mail) <= self._stop_at

    def _reply(self, outcome: Outcome) -> Reply:
        match outcome:
            case Accepted(message_id):
                return Reply(250, "0.0", f"{self._accepted_as} {message_id}")
            case Deferred(reply) | Rejected(reply):
                return reply
            case _:
                assert_never(outcome)
