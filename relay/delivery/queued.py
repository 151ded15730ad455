"""With a queue: tried at once from memory, and kept on the disk when that is needed.

A client that waits hears SES' own answer where it comes in time; what SES did not
take is durable before the client hears "queued". `owed` says who hears what.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from relay import log
from relay.content import moment
from relay.delivery import owed
from relay.delivery.admission import Refusal, Slot
from relay.delivery.answered import answered
from relay.delivery.attempts import Attempts
from relay.delivery.entrance import Entrance
from relay.delivery.kept_first import KeptFirst
from relay.delivery.patience import Patience
from relay.delivery.waiting_client import Call, WaitingClient
from relay.delivery.ways import Way, Ways
from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    RetryPolicy,
    Sending,
    Sent,
    Superseded,
)
from relay.model.mail import Mail, Prepared
from relay.model.note import Note
from relay.model.outcome import Accepted, Outcome
from relay.model.replies import NOT_KEPT, due, ok, queued
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import Answered, Events, NotTaken, Overtaken
from relay.queue import Claim, Notes, Queue, Unwritable

# A call that ended and is kept: where it stands now, the reports about it.
_Ended = tuple[Call, Queued | Failed | Superseded, Sequence[Job], Outcome]

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
        self._patience = Patience(now)
        self._kept_first = KeptFirst(attempts=attempts, queue=queue, first=self._first)

    def stop_within(self, seconds: float) -> None:
        """Begin nothing more: what comes is kept, and goes after the next start."""
        self._ways.stop()

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """Wait for SES' answer where there may be one in time, or keep the mail."""
        if prepared.send_at is not None:
            reply = due(submission.id, moment.shown(prepared.send_at))
            return await self._keep_waiting(submission, prepared, reply, started)
        entered = self._entrance.enter(prepared.mails)
        if isinstance(entered, Refusal):
            reply = queued(submission.id, entered.reason)
            return await self._keep_waiting(submission, prepared, reply, started)
        jobs = self._jobs(submission.id, prepared.mails, _FIRST)
        client = WaitingClient(jobs, left, self._patience)
        if len(jobs) > 1 and self._queue.keeps_first:
            return await self._keep_first(
                submission, prepared, client, entered, started
            )
        until = started + self._answer_within
        if len(jobs) == 1 and entered[0][0].transport.at_hand(jobs[0].mail):
            await self._attempts.begin_here(
                self._patience, until, self._first, client.calls[0], *entered[0], client
            )
        else:
            for call, (way, slot) in zip(client.calls, entered, strict=True):
                self._attempts.begin(self._first, call, way, slot, client)
        if client.under_way:
            await client.wait(until)
        end = self._taken(client, prepared)
        reply, ended = end or await self._conclude(submission.id, client, prepared)
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
            claims = await self._put([call.job for call in client.calls], None)
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
        waiting = Queued(0, due=self._queue.now() if send_at is None else send_at)
        jobs = self._jobs(submission.id, prepared.mails, waiting, send_at=send_at)
        try:
            await self._put(jobs, prepared.note(submission.id, reply))
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
        send_at: float | None = None,
    ) -> list[Job]:
        now = self._queue.now()
        began = now if send_at is None else send_at
        jobs = []
        for number, mail in enumerate(mails):
            end = self._policy.end(began, mail.choice.valid_for)
            # All by their places: by their names they cost half as much again.
            jobs.append(Job(mail_id, number, mail, now, end, state, False, send_at))
        return jobs

    # The client waits.

    async def _first(
        self, call: Call, way: Way, slot: Slot, client: WaitingClient
    ) -> None:
        """The attempt that a client waits for; afterwards that of a kept mail."""
        try:
            call.outcome = outcome = await self._attempts.make(call, way, slot)
            client.call_ended()
            if call.kept is not None and (claim := await call.kept) is not None:
                await self._attempts.record(claim, call, outcome)
        finally:
            self._attempts.put_down(call)

    def _taken(
        self, client: WaitingClient, prepared: Prepared
    ) -> tuple[Reply, Sequence[_Ended]] | None:
        """The end of nearly all mail: one call, SES took it, and that is all of it."""
        outcome, mail = client.calls[0].outcome, client.calls[0].job.mail
        if not isinstance(outcome, Accepted) or len(client.calls) > 1:
            return None
        if mail.choice.supersedes or not prepared.is_plain:
            return None
        way = self._ways.of(mail.options.account)
        return ok(outcome.message_id, way.accepted_as), ()

    async def _conclude(
        self, mail_id: MailId, client: WaitingClient, prepared: Prepared
    ) -> tuple[Reply, Sequence[_Ended]]:
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
                await self._supersede(newer)
            if not prepared.is_plain:
                await self._note(mail_id, reply, client, prepared)
            return reply, ()
        reply = owed.when_kept(outcomes, mail_id)
        try:
            ended = await self._keep(client.calls, prepared.note(mail_id, reply))
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

    async def _keep(self, calls: Sequence[Call], note: Note | None) -> Sequence[_Ended]:
        """Write what SES has not taken; what is under way ends in the queue, too.

        Gives those of them that have ended. Raises Unwritable, and nothing is kept
        then.
        """
        loop = asyncio.get_running_loop()
        jobs: list[Job] = []
        under_way: list[asyncio.Future[Claim | None]] = []
        ended: list[_Ended] = []
        for call in calls:
            outcome = call.outcome
            if outcome is None:
                call.kept = loop.create_future()
                under_way.append(call.kept)
                jobs.append(call.job)
                continue
            state, about = self._attempts.end_of(call, outcome)
            if not isinstance(state, Sent):
                ended.append((call, state, about, outcome))
                jobs.append(call.job._replace(state=state))
        claims: Sequence[Claim] = ()
        try:
            claims = await self._put(
                [*jobs, *(report for _, _, some, _ in ended for report in some)], note
            )
        finally:
            # Without a claim its end is the waiting client's alone.
            for number, kept in enumerate(under_way):
                if not kept.done():
                    kept.set_result(claims[number] if claims else None)
        return ended

    async def _put(self, jobs: Sequence[Job], note: Note | None) -> Sequence[Claim]:
        claims, replaced = await self._queue.put(jobs, note)
        self._overtake(jobs[0].id, replaced)
        self._attempts.void([job for job in jobs if job.mail.choice.supersedes])
        return claims

    async def _supersede(self, newer: Sequence[Job]) -> None:
        """End the waiting mail that these supersede, which SES took."""
        self._attempts.void(newer)
        try:
            self._overtake(newer[0].id, await self._queue.supersede(newer))
        except Unwritable as error:
            # It may still be sent, which is worse than late, and better than lost.
            log.line(
                logging.ERROR,
                "older mail not superseded",
                id=newer[0].id,
                detail=str(error),
            )

    def _overtake(self, by: MailId, replaced: Sequence[Replaced]) -> None:
        for older in replaced:
            self._events.emit(Overtaken(older, by=by))
