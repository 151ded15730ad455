"""With a queue: durable first, then tried at once while the client waits.

Who owes whom what is decided here: a client that is still there hears SES' answer,
and everything else ends in the queue.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from relay import log
from relay.delivery import attempt
from relay.delivery.admission import Admission, Refusal, Slot
from relay.delivery.dsn import Reporter
from relay.delivery.transport import Transport
from relay.delivery.waiting_client import AwaitedCall, WaitingClient
from relay.model.job import (
    Failed,
    Job,
    Queued,
    RetryPolicy,
    Sending,
    Sent,
    expire,
    release,
    settle,
)
from relay.model.mail import Mail, Prepared
from relay.model.outcome import Accepted, Deferred, Outcome, Rejected
from relay.model.replies import NOT_KEPT, ok, queued
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import (
    Answered,
    Attempted,
    Events,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.queue import Claim, Queue, Unwritable

EXPIRES_AT_ONCE = 50


class QueuedDelivery:
    """Keeps mail, attempts it, and records how the attempts end."""

    def __init__(
        self,
        *,
        transport: Transport,
        events: Events,
        queue: Queue,
        gate: Admission,
        policy: RetryPolicy,
        reporter: Reporter,
        answer_within: float,
        accepted_as: str = "Ok",
    ) -> None:
        self._transport = transport
        self._events = events
        self._queue = queue
        self._admission = gate
        self._policy = policy
        self._reporter = reporter
        self._answer_within = answer_within
        self._accepted_as = accepted_as
        self._tasks: set[asyncio.Task[None]] = set()

    def stop_within(self, seconds: float) -> None:
        """Begin nothing more: what is kept goes after the next start."""
        self._admission.stop()

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """Keep the mail, and wait for SES' answer where there may be one in time."""
        mails = prepared.mails
        slots, refusal = self._enter(mails)
        jobs = self._jobs(submission.id, mails, waiting=refusal is not None)
        try:
            claims, replaced = await self._queue.put(jobs)
        except BaseException as error:
            for slot in slots:
                self._admission.leave(slot, None)
            if not isinstance(error, Unwritable):
                raise
            log.line(logging.ERROR, "not kept", id=submission.id, detail=str(error))
            seconds = time.monotonic() - started
            self._events.emit(NotTaken(submission, NOT_KEPT, seconds))
            return NOT_KEPT
        for older in replaced:
            self._events.emit(Overtaken(older, by=submission.id))
        if refusal is None and self._admission.stopping:
            # The signal came while the mail was being kept.
            refusal = self._admission.refusal(0)
            for claim, slot in zip(claims, slots, strict=True):
                await self._put_back(claim, slot)
        if refusal is not None:
            calls: Sequence[AwaitedCall] = ()
            reply = queued(submission.id, refusal.reason)
        else:
            client = WaitingClient(len(claims), left)
            calls = client.calls
            for claim, slot, call in zip(claims, slots, calls, strict=True):
                self._begin(self._first(claim, slot, call, client))
            within = started + self._answer_within - time.monotonic()
            await client.wait(max(within, 0))
            reply = await self._conclude(submission.id, claims, client)
        self._events.emit(
            Answered(
                submission,
                mails,
                reply,
                calls[0].outcome if len(calls) == 1 else None,
                max((call.attempts for call in calls), default=0),
                time.monotonic() - started,
                prepared.warnings,
            )
        )
        return reply

    def _enter(self, mails: Sequence[Mail]) -> tuple[list[Slot], Refusal | None]:
        """Begin attempts on all of `mails`, or on none."""
        refusal = self._admission.silence()
        if refusal is None and self._queue.is_due():
            # Older mail waits, which in a pause is no reason but a consequence.
            refusal = self._admission.refusal(0) or Refusal()
        slots: list[Slot] = []
        for mail in mails:
            refusal = refusal or self._admission.refusal(len(mail.content))
            if refusal is not None:
                break
            recipients = len(mail.envelope.recipients)
            slots.append(self._admission.enter(len(mail.content), recipients))
        if refusal is not None:
            for slot in slots:
                self._admission.leave(slot, None)
            slots = []
        return slots, refusal

    def _jobs(
        self, mail_id: MailId, mails: Sequence[Mail], *, waiting: bool
    ) -> list[Job]:
        now = self._queue.now()
        return [
            Job(
                id=mail_id,
                number=number,
                mail=mail,
                accepted_at=now,
                expires_at=self._policy.end(now, mail.choice.valid_for),
                state=Queued(0, due=now) if waiting else Sending(1),
            )
            for number, mail in enumerate(mails)
        ]

    async def _conclude(
        self, mail_id: MailId, claims: Sequence[Claim], client: WaitingClient
    ) -> Reply:
        """Decide who hears what, now that the wait is over."""
        calls = client.calls
        undecided = [
            (claim, call.outcome)
            for claim, call in zip(claims, calls, strict=True)
            if call.undecided and call.outcome is not None
        ]
        if len(undecided) == len(claims) and not client.left():
            # The client knows, so nobody else needs to.
            for claim, _ in undecided:
                await self._queue.settle(claim, None)
            if (reply := _refused_with(undecided[0][1])) is not None:
                return reply
        for claim, outcome in undecided:
            await self._end(claim, outcome)
        taken = [call.outcome for call in calls if isinstance(call.outcome, Accepted)]
        if len(taken) == len(calls):
            return ok(taken[0].message_id, self._accepted_as)
        reason = ""
        if len(calls) == 1 and isinstance(calls[0].outcome, Deferred):
            reason = calls[0].outcome.reply.text
        return queued(mail_id, reason)

    async def _first(
        self, claim: Claim, slot: Slot, call: AwaitedCall, client: WaitingClient
    ) -> None:
        """The attempt that a client waits for."""
        claim, outcome = await self._attempt(claim, slot)
        in_time = client.waiting
        if in_time:
            call.outcome, call.attempts = outcome, claim.job.state.attempts
            call.undecided = _refused_with(outcome) is not None and not client.left()
        client.call_ended()
        if not call.undecided:
            # SES' answer is the reply already; the record follows at once.
            told = in_time and isinstance(outcome, Accepted)
            await self._end(claim, outcome, told=told)

    # For the worker.

    def begin(self, claim: Claim, slot: Slot) -> None:
        """Attempt a claimed job, in a task that `drained` waits for."""
        self._begin(self._later(claim, slot))

    async def _later(self, claim: Claim, slot: Slot) -> None:
        if self._admission.stopping:
            await self._put_back(claim, slot)
            return
        claim, outcome = await self._attempt(claim, slot)
        await self._end(claim, outcome)

    async def fail_expired(self) -> bool:
        """Give up waiting mail whose end has come; tell whether there was some."""
        claims = await self._queue.expired(EXPIRES_AT_ONCE)
        for claim in claims:
            if isinstance(claim.job.state, Queued):
                failed = expire(claim.job.state, now=self._queue.now())
                await self._record(claim, failed, None)
        return bool(claims)

    async def drained(self) -> None:
        """Wait until no attempt is under way, and each end is recorded."""
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A job whose end is not recorded is taken back at the next start.
            log.broken("attempt not recorded", error)

    async def _put_back(self, claim: Claim, slot: Slot) -> None:
        """Leave a claimed job as it was: no attempt may begin any more."""
        self._admission.leave(slot, None)
        state = claim.job.state
        if isinstance(state, Sending):
            waiting = release(state, now=self._queue.now())
            await self._queue.settle(claim, waiting)

    async def _attempt(self, claim: Claim, slot: Slot) -> tuple[Claim, Outcome]:
        outcome: Outcome | None = None
        try:
            outcome = await self._call(claim)
            again = isinstance(outcome, Deferred) and outcome.at_once
            if again and not self._admission.stopping:
                claim = _counted(claim)
                outcome = await self._call(claim)
        finally:
            self._admission.leave(slot, outcome)
        return claim, outcome

    async def _call(self, claim: Claim) -> Outcome:
        job = claim.job
        began = time.monotonic()
        outcome = await attempt(self._transport, job.mail, job.id)
        self._events.emit(
            Attempted(
                job.id,
                job.number,
                job.mail,
                job.state.attempts,
                outcome,
                time.monotonic() - began,
            )
        )
        return outcome

    async def _end(self, claim: Claim, outcome: Outcome, *, told: bool = False) -> None:
        """Record how an attempt ended that no client is told of any more."""
        job = claim.job
        if not isinstance(job.state, Sending):
            raise TypeError(f"{job.id} was not being sent: {job.state}")
        state = settle(
            job.state,
            outcome,
            now=self._queue.now(),
            last_try=self._policy.last_try(job.accepted_at, job.expires_at),
            policy=self._policy,
        )
        await self._record(claim, state, outcome, told=told)

    async def _record(
        self,
        claim: Claim,
        state: Queued | Sent | Failed,
        outcome: Outcome | None,
        *,
        told: bool = False,
    ) -> None:
        reports: Sequence[Job] = ()
        if isinstance(state, Failed):
            reports = self._reporter.reports(
                claim.job, state, now=self._queue.now(), unix=self._queue.unix
            )
        came_to = await self._queue.settle(claim, state, reports)
        if came_to is None:  # never: only `_conclude` removes
            return
        wait = None
        if isinstance(came_to, Queued):
            wait = max(came_to.due - self._queue.now(), 0.0)
        self._events.emit(
            Settled(
                claim.job,
                came_to,
                outcome,
                told,
                wait,
                tuple(report.mail.envelope.recipients[0] for report in reports),
            )
        )


def _refused_with(outcome: Outcome) -> Reply | None:
    """The 5xx that a client hears which still waits, if there is one for it."""
    match outcome:
        case Rejected(reply) | Deferred(reply, tell=True):
            return reply
    return None


def _counted(claim: Claim) -> Claim:
    """The claim for one more attempt, begun at once."""
    job = claim.job
    if not isinstance(job.state, Sending):
        return claim
    state = replace(job.state, attempts=job.state.attempts + 1)
    return replace(claim, job=replace(job, state=state))
