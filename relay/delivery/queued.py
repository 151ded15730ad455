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


class _Wait:
    """A client's wait for one call of its mail, and what came of it in time."""

    __slots__ = ("attempts", "outcome", "undecided")

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.attempts = 1
        # SES refused the mail, and `_conclude` decides what becomes of it.
        self.undecided = False


class _Client:
    """A client that waits for all calls of its mail, at most until a deadline."""

    def __init__(self, calls: int, left: Callable[[], bool]) -> None:
        self.left = left
        self.waits = [_Wait() for _ in range(calls)]
        self.waiting = True
        self._under_way = calls
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one_ended(self) -> None:
        """Tell that one of the calls ended."""
        self._under_way -= 1
        if not self._under_way:
            self._end()

    async def wait(self, seconds: float) -> None:
        # asyncio.wait() does the same for several times the price.
        clock = asyncio.get_running_loop().call_later(seconds, self._end)
        try:
            await self._over
        finally:
            clock.cancel()
            self.waiting = False

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


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
        self._gate = gate
        self._policy = policy
        self._reporter = reporter
        self._answer_within = answer_within
        self._accepted_as = accepted_as
        self._tasks: set[asyncio.Task[None]] = set()

    def stop_within(self, seconds: float) -> None:
        """Begin nothing more: what is kept goes after the next start."""
        self._gate.stop()

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
        passes, closed = self._enter(mails)
        jobs = self._jobs(submission.id, mails, waiting=closed is not None)
        try:
            claims, replaced = await self._queue.put(jobs)
        except BaseException as error:
            for one in passes:
                self._gate.leave(one, None)
            if not isinstance(error, Unwritable):
                raise
            log.line(logging.ERROR, "not kept", id=submission.id, detail=str(error))
            seconds = time.monotonic() - started
            self._events.emit(NotTaken(submission, NOT_KEPT, seconds))
            return NOT_KEPT
        for older in replaced:
            self._events.emit(Overtaken(older, by=submission.id))
        if closed is None and self._gate.stopping:
            # The signal came while the mail was being kept.
            closed = self._gate.closed(0)
            for claim, one in zip(claims, passes, strict=True):
                await self._put_back(claim, one)
        if closed is not None:
            waits: Sequence[_Wait] = ()
            reply = queued(submission.id, closed.reason)
        else:
            client = _Client(len(claims), left)
            waits = client.waits
            for claim, one, wait in zip(claims, passes, waits, strict=True):
                self._begin(self._first(claim, one, wait, client))
            within = started + self._answer_within - time.monotonic()
            await client.wait(max(within, 0))
            reply = await self._conclude(submission.id, claims, client)
        self._events.emit(
            Answered(
                submission,
                mails,
                reply,
                waits[0].outcome if len(waits) == 1 else None,
                max((wait.attempts for wait in waits), default=0),
                time.monotonic() - started,
                prepared.warnings,
            )
        )
        return reply

    def _enter(self, mails: Sequence[Mail]) -> tuple[list[Slot], Refusal | None]:
        """Begin attempts on all of `mails`, or on none."""
        closed = self._gate.silence()
        if closed is None and self._queue.is_due():
            # Older mail waits, which in a pause is no reason but a consequence.
            closed = self._gate.closed(0) or Refusal()
        passes: list[Slot] = []
        for mail in mails:
            closed = closed or self._gate.closed(len(mail.content))
            if closed is not None:
                break
            recipients = len(mail.envelope.recipients)
            passes.append(self._gate.enter(len(mail.content), recipients))
        if closed is not None:
            for one in passes:
                self._gate.leave(one, None)
            passes = []
        return passes, closed

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
        self, mail_id: MailId, claims: Sequence[Claim], client: _Client
    ) -> Reply:
        """Decide who hears what, now that the wait is over."""
        waits = client.waits
        undecided = [
            (claim, wait.outcome)
            for claim, wait in zip(claims, waits, strict=True)
            if wait.undecided and wait.outcome is not None
        ]
        if len(undecided) == len(claims) and not client.left():
            # The client knows, so nobody else needs to.
            for claim, _ in undecided:
                await self._queue.settle(claim, None)
            if (refusal := _refusal(undecided[0][1])) is not None:
                return refusal
        for claim, outcome in undecided:
            await self._end(claim, outcome)
        taken = [wait.outcome for wait in waits if isinstance(wait.outcome, Accepted)]
        if len(taken) == len(waits):
            return ok(taken[0].message_id, self._accepted_as)
        reason = ""
        if len(waits) == 1 and isinstance(waits[0].outcome, Deferred):
            reason = waits[0].outcome.reply.text
        return queued(mail_id, reason)

    async def _first(
        self, claim: Claim, one: Slot, wait: _Wait, client: _Client
    ) -> None:
        """The attempt that a client waits for."""
        claim, outcome = await self._attempt(claim, one)
        in_time = client.waiting
        if in_time:
            wait.outcome, wait.attempts = outcome, claim.job.state.attempts
            wait.undecided = _refusal(outcome) is not None and not client.left()
        client.one_ended()
        if not wait.undecided:
            # SES' answer is the reply already; the record follows at once.
            told = in_time and isinstance(outcome, Accepted)
            await self._end(claim, outcome, told=told)

    # For the worker.

    def begin(self, claim: Claim, one: Slot) -> None:
        """Attempt a claimed job, in a task that `drained` waits for."""
        self._begin(self._later(claim, one))

    async def _later(self, claim: Claim, one: Slot) -> None:
        if self._gate.stopping:
            await self._put_back(claim, one)
            return
        claim, outcome = await self._attempt(claim, one)
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

    async def _put_back(self, claim: Claim, one: Slot) -> None:
        """Leave a claimed job as it was: no attempt may begin any more."""
        self._gate.leave(one, None)
        state = claim.job.state
        if isinstance(state, Sending):
            waiting = release(state, now=self._queue.now())
            await self._queue.settle(claim, waiting)

    async def _attempt(self, claim: Claim, one: Slot) -> tuple[Claim, Outcome]:
        outcome: Outcome | None = None
        try:
            outcome = await self._call(claim)
            again = isinstance(outcome, Deferred) and outcome.at_once
            if again and not self._gate.stopping:
                claim = _counted(claim)
                outcome = await self._call(claim)
        finally:
            self._gate.leave(one, outcome)
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
        if came_to is None:  # never: only `_wait` removes
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
                tuple(one.mail.envelope.recipients[0] for one in reports),
            )
        )


def _refusal(outcome: Outcome) -> Reply | None:
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
