"""With a queue: tried at once from memory, and kept on the disk when that is needed.

A client that waits hears SES' own answer where it comes in time; what SES did not
take is durable before the client hears "queued". `owed` says who hears what.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from relay import log
from relay.content import moment
from relay.delivery import attempt, owed
from relay.delivery.admission import Refusal, Slot
from relay.delivery.answered import answered
from relay.delivery.attempts import Attempts, Begun
from relay.delivery.entrance import Entrance
from relay.delivery.keeping import Ended, Keeping
from relay.delivery.kept_first import KeptFirst
from relay.delivery.patience import Patience
from relay.delivery.waiting_client import Call, WaitingClient
from relay.delivery.ways import Way, Ways
from relay.model.job import Job, Queued, RetryPolicy, Sending
from relay.model.mail import Mail, Prepared
from relay.model.outcome import Accepted
from relay.model.replies import NOT_KEPT, due, ok, queued
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import Answered, Attempted, Events, NotTaken
from relay.queue import Notes, Queue, Unwritable
from relay.system.handover import driven

_FIRST = Sending(1)


class QueuedDelivery:
    """Attempts while the client waits, and keeps what SES did not take."""

    def __init__(
        self,
        *,
        attempts: Attempts,
        events: Events,
        queue: Queue,
        ways: Ways,
        notes: Notes,
        policy: RetryPolicy,
        answer_within: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is the clock of `deliver`'s `started`."""
        self._attempts = attempts
        self._events = events
        self._queue = queue
        self._ways = ways
        self._notes = notes
        self._policy = policy
        self._answer_within = answer_within
        self._entrance = Entrance(ways, queue)
        self._keeping = Keeping(attempts=attempts, events=events, queue=queue)
        self._now = now
        self._patience = Patience(now)
        self._kept_first = KeptFirst(attempts=attempts, queue=queue, first=self._first)

    def stop_within(self, seconds: float) -> None:
        """Begin nothing more: what comes is kept, and goes after the next start."""
        self._ways.stop()

    def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Coroutine[Any, Any, Reply]:
        """Wait for SES' answer where there may be one in time, or keep the mail."""
        if prepared.send_at is not None:
            reply = due(submission.id, moment.shown(prepared.send_at))
            return self._keep_waiting(submission, prepared, reply, started)
        entered = self._entrance.enter(prepared.mails)
        if isinstance(entered, Refusal):
            reply = queued(submission.id, entered.reason)
            return self._keep_waiting(submission, prepared, reply, started)
        if len(entered) == 1:
            way, slot = entered[0]
            if way.transport.at_hand(prepared.mails[0]):
                return self._here(submission, prepared, way, slot, started, left)
        client = self._client(submission, prepared, started, left)
        if len(entered) > 1 and self._queue.keeps_first:
            return self._keep_first(submission, prepared, client, entered, started)
        for call, (way, slot) in zip(client.calls, entered, strict=True):
            self._attempts.begin(self._first, call, way, slot, client)
        return self._end(submission, prepared, client, started)

    async def _here(
        self,
        submission: Submission,
        prepared: Prepared,
        way: Way,
        slot: Slot,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """Attempt in the client's own task, which waits for SES' answer alone.

        What SES does not take while the client waits goes on in a task of its own.
        """
        mail = prepared.mails[0]
        client: WaitingClient | None = None
        if mail.choice.supersedes:  # newer mail may come meanwhile
            client = self._client(submission, prepared, started, left)
            self._attempts.take_up(client.calls[0])
        since = time.monotonic()
        attempting = attempt(way.transport, mail, submission.id)
        try:
            outcome = await driven(
                attempting, self._patience, started + self._answer_within
            )
        except BaseException:
            way.gate.leave(slot, None)
            if client is not None:
                self._attempts.put_down(client.calls[0])
            raise
        if isinstance(outcome, Accepted) and client is None and prepared.is_plain:
            # The end of nearly all mail: SES took it, and nobody is owed more.
            now = time.monotonic()
            attempted = Attempted(
                submission.id, 0, mail, 1, outcome, now - since, way.account
            )
            self._events.emit(attempted)
            way.gate.leave(slot, outcome)
            accepted_as = self._ways.of(mail.options.account).accepted_as
            reply = ok(outcome.message_id, accepted_as)
            self._events.emit(
                Answered(
                    submission,
                    prepared.mails,
                    reply,
                    outcome,
                    1,
                    now - started,
                    prepared.slips,
                    (outcome.message_id,),
                )
            )
            return reply
        if client is None:
            client = self._client(submission, prepared, started, left)
        begun = Begun.of(since, attempting, outcome)
        if isinstance(outcome, Accepted):  # which is all that it waits for
            await self._first(client.calls[0], way, slot, client, begun)
        else:
            self._attempts.begin(self._first, client.calls[0], way, slot, client, begun)
        return await self._end(submission, prepared, client, started)

    async def _end(
        self,
        submission: Submission,
        prepared: Prepared,
        client: WaitingClient,
        started: float,
    ) -> Reply:
        """Wait for the calls under way, and tell the client and all others."""
        if client.under_way:
            await client.wait(started + self._answer_within)
        reply, ended = await self._conclude(submission.id, client, prepared)
        self._events.emit(answered(submission, prepared, client, reply, started))
        for call, state, reports, outcome in ended:
            self._attempts.tell(call.job, state, reports, outcome)
        return reply

    async def _keep_first(
        self,
        submission: Submission,
        prepared: Prepared,
        client: WaitingClient,
        entered: Sequence[tuple[Way, Slot]],
        started: float,
    ) -> Reply:
        """The same for a mail of several calls that is kept before they begin."""
        try:
            claims = await self._keeping.put([call.job for call in client.calls], None)
        except Unwritable as error:
            for way, slot in entered:
                way.gate.leave(slot, None)
            return self._not_taken(submission, error, started)
        account = client.calls[0].job.mail.options.account
        reply = await self._kept_first.deliver(
            submission.id,
            client,
            entered,
            claims,
            until=started + self._answer_within,
            accepted_as=self._ways.of(account).accepted_as,
            note=lambda reply: self._note(submission.id, reply, client, prepared),
        )
        self._events.emit(answered(submission, prepared, client, reply, started))
        return reply

    # No attempt may begin now.

    async def _keep_waiting(
        self,
        submission: Submission,
        prepared: Prepared,
        reply: Reply,
        started: float,
    ) -> Reply:
        """Keep it, due now or when it is to be sent; `reply` once that is done."""
        send_at = None
        if prepared.send_at is not None:
            send_at = prepared.send_at - self._queue.unix(0.0)
        now = self._queue.now()
        waiting = Queued(0, due=now if send_at is None else send_at)
        jobs = self._jobs(
            submission.id, prepared.mails, waiting, came=now, send_at=send_at
        )
        try:
            await self._keeping.put(jobs, prepared.note(submission.id, reply))
        except Unwritable as error:
            return self._not_taken(submission, error, started)
        self._events.emit(
            Answered(
                submission,
                prepared.mails,
                reply,
                None,
                0,
                time.monotonic() - started,
                prepared.slips,
                due=prepared.send_at,
            )
        )
        return reply

    def _not_taken(
        self, submission: Submission, error: Unwritable, started: float
    ) -> Reply:
        log.line(logging.ERROR, "not kept", id=submission.id, detail=str(error))
        seconds = time.monotonic() - started
        self._events.emit(NotTaken(submission, NOT_KEPT, seconds))
        return NOT_KEPT

    def _jobs(
        self,
        mail_id: MailId,
        mails: Sequence[Mail],
        state: Queued | Sending,
        *,
        came: float,
        send_at: float | None = None,
    ) -> list[Job]:
        began = came if send_at is None else send_at
        jobs = []
        for number, mail in enumerate(mails):
            end = self._policy.end(began, mail.choice.valid_for)
            # All by their places: by their names they cost half as much again.
            jobs.append(Job(mail_id, number, mail, came, end, state, False, send_at))
        return jobs

    # The client waits.

    def _client(
        self,
        submission: Submission,
        prepared: Prepared,
        started: float,
        left: Callable[[], bool],
    ) -> WaitingClient:
        """Who waits since `started`, and the calls of its mail."""
        came = self._queue.now() - (self._now() - started)
        jobs = self._jobs(submission.id, prepared.mails, _FIRST, came=came)
        return WaitingClient(jobs, left, self._patience)

    async def _first(
        self,
        call: Call,
        way: Way,
        slot: Slot,
        client: WaitingClient,
        begun: Begun | None = None,
    ) -> None:
        """The attempt that a client waits for; afterwards that of a kept mail."""
        if begun is None:
            self._attempts.take_up(call)
        try:
            call.outcome = outcome = await self._attempts.make(call, way, slot, begun)
            client.call_ended()
            if call.kept is not None and (claim := await call.kept) is not None:
                await self._attempts.record(claim, call, outcome)
        finally:
            self._attempts.put_down(call)

    async def _conclude(
        self, mail_id: MailId, client: WaitingClient, prepared: Prepared
    ) -> tuple[Reply, Sequence[Ended]]:
        """Give each what it is owed, now that the wait is over."""
        outcomes = [call.outcome for call in client.calls]
        account = client.calls[0].job.mail.options.account
        accepted_as = self._ways.of(account).accepted_as
        reply = owed.settled_by(outcomes, left=client.left(), accepted_as=accepted_as)
        if reply is not None:
            newer = [
                call.job
                for call in client.calls
                if call.job.mail.choice.supersedes
                and isinstance(call.outcome, Accepted)
            ]
            if newer:
                await self._keeping.supersede(newer)
            if not prepared.is_plain:
                await self._note(mail_id, reply, client, prepared)
            return reply, ()
        reply = owed.when_kept(outcomes, mail_id)
        try:
            note = prepared.note(mail_id, reply)
            ended = await self._keeping.keep(client.calls, note)
        except Unwritable as error:
            log.line(logging.ERROR, "not kept", id=mail_id, detail=str(error))
            await client.wait_for_all()
            ends = [call.outcome for call in client.calls if call.outcome is not None]
            reply = owed.when_not_kept(outcomes, ends, accepted_as)
            await self._note(mail_id, reply, client, prepared)
            return reply, ()
        return reply, ended

    async def _note(
        self, mail_id: MailId, reply: Reply, client: WaitingClient, prepared: Prepared
    ) -> None:
        """Remember what the reply promises, where SES took the mail."""
        taken = client.message_ids[:1]
        note = prepared.note(mail_id, reply, *taken)
        if note is not None:
            await self._notes.note(note)
