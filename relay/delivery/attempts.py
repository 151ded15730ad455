"""Attempts on mail, in tasks of their own, and the record of how they end.

A task outlives the client that waits for it. What a cut-off one leaves in the spool as
`sending` is taken back at the next start.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace

from relay import log
from relay.delivery import attempt
from relay.delivery.admission import Slot
from relay.delivery.dsn import Reporter
from relay.delivery.ways import Way, by_fallback, may_go_elsewhere
from relay.model.job import (
    Failed,
    Job,
    Queued,
    RetryPolicy,
    Sending,
    Sent,
    Superseded,
    expire,
    release,
    settle,
    supersede,
)
from relay.model.mail import voids
from relay.model.outcome import Deferred, Outcome
from relay.observe.events import Attempted, Events, Settled
from relay.queue import Claim, Queue

EXPIRES_AT_ONCE = 50


class InHand:
    """A job on which an attempt is under way; `voided`: newer mail took its place."""

    __slots__ = ("job", "voided")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.voided = False


class Attempts:
    """Makes attempts, for clients that wait and for the worker."""

    def __init__(
        self,
        *,
        events: Events,
        queue: Queue,
        policy: RetryPolicy,
        reporter: Reporter,
    ) -> None:
        self._events = events
        self._queue = queue
        self._policy = policy
        self._reporter = reporter
        self._tasks: set[asyncio.Task[None]] = set()
        # Of mail whose template supersedes, by what it voids.
        self._in_hand: defaultdict[str, list[InHand]] = defaultdict(list)

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Have `work` done in a task that `drained` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.broken("attempt not recorded", error)

    async def drained(self) -> None:
        """Wait until no attempt is under way, and each end is recorded."""
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # One attempt.

    async def make(self, work: InHand, way: Way, slot: Slot) -> Outcome:
        """Attempt once, or again where that is worth it; the job counts each."""
        mail = work.job.mail
        if mail.choice.supersedes:
            self._in_hand[voids(mail)].append(work)
        outcome = await self._by(way, work, slot)
        while way.fallback is not None and may_go_elsewhere(work.job, outcome):
            way = way.fallback
            gate = way.gate
            if gate.closed:
                continue
            if gate.silence() or gate.refusal(len(mail.content)):
                break
            slot = gate.enter(len(mail.content), len(mail.envelope.recipients))
            work.job = _counted(work.job)
            outcome = await self._by(way, work, slot)
        return outcome

    async def _by(self, way: Way, work: InHand, slot: Slot) -> Outcome:
        """Attempt by one way, a second time with new credentials where they were old.

        What the mail's own account may take is not refused by another.
        """
        outcome: Outcome | None = None
        try:
            outcome = await self._call(way, work.job)
            again = isinstance(outcome, Deferred) and outcome.at_once
            if again and not way.gate.stopping:
                work.job = _counted(work.job)
                outcome = await self._call(way, work.job)
        finally:
            way.gate.leave(slot, outcome)
        if way.account != work.job.mail.options.account:
            outcome = by_fallback(outcome)
        return outcome

    async def _call(self, way: Way, job: Job) -> Outcome:
        began = time.monotonic()
        outcome = await attempt(way.transport, job.mail, job.id)
        self._events.emit(
            Attempted(
                job.id,
                job.number,
                job.mail,
                job.state.attempts,
                outcome,
                time.monotonic() - began,
                way.account,
            )
        )
        return outcome

    # Newer mail that takes the place of older.

    def void(self, newer: Iterable[Job]) -> None:
        """Note that these were taken: older mail in hand is not tried again."""
        for job in newer:
            for work in self._in_hand.get(voids(job.mail), ()):
                if work.job.id != job.id and work.job.accepted_at <= job.accepted_at:
                    work.voided = True

    def put_down(self, work: InHand) -> None:
        """Forget a job on which no attempt is under way any more."""
        if work.job.mail.choice.supersedes:
            key = voids(work.job.mail)
            self._in_hand[key].remove(work)
            if not self._in_hand[key]:
                del self._in_hand[key]

    # What an attempt comes to.

    def end_of(
        self, work: InHand, outcome: Outcome
    ) -> tuple[Queued | Sent | Failed | Superseded, Sequence[Job]]:
        """Where its job stands after the attempt, and the reports about it."""
        job = work.job
        if not isinstance(job.state, Sending):
            raise TypeError(f"{job.id} was not being sent: {job.state}")
        now = self._queue.now()
        state = settle(
            job.state,
            outcome,
            now=now,
            last_try=self._policy.last_try(job.began, job.expires_at),
            policy=self._policy,
        )
        if work.voided and isinstance(state, Queued):
            return supersede(state, now=now), ()
        return state, self._reports(job, state)

    def _reports(self, job: Job, state: object) -> Sequence[Job]:
        if not isinstance(state, Failed):
            return ()
        return self._reporter.reports(
            job, state, now=self._queue.now(), unix=self._queue.unix
        )

    async def record(self, claim: Claim, work: InHand, outcome: Outcome) -> None:
        """Record how an attempt on kept mail ended."""
        state, reports = self.end_of(work, outcome)
        await self._settle(replace(claim, job=work.job), state, reports, outcome)

    async def _settle(
        self,
        claim: Claim,
        state: Queued | Sent | Failed | Superseded,
        reports: Sequence[Job],
        outcome: Outcome | None,
    ) -> None:
        came_to = await self._queue.settle(claim, state, reports)
        if came_to is not None:  # else an operator was faster, and that is its end
            self.tell(claim.job, came_to, reports, outcome)

    def tell(
        self,
        job: Job,
        state: Queued | Sent | Failed | Superseded,
        reports: Sequence[Job],
        outcome: Outcome | None,
    ) -> None:
        """Tell where a job of the queue stands now."""
        wait = None
        if isinstance(state, Queued):
            wait = max(state.due - self._queue.now(), 0.0)
        to = tuple(report.mail.envelope.recipients[0] for report in reports)
        self._events.emit(Settled(job, state, outcome, wait, to))

    # For the worker.

    def begin_claimed(self, claim: Claim, way: Way, slot: Slot) -> None:
        """Attempt a claimed job."""
        self.begin(self._claimed(claim, way, slot))

    async def _claimed(self, claim: Claim, way: Way, slot: Slot) -> None:
        if way.gate.stopping:
            await self._put_back(claim, way, slot)
            return
        work = InHand(claim.job)
        try:
            outcome = await self.make(work, way, slot)
            await self.record(claim, work, outcome)
        finally:
            self.put_down(work)

    async def _put_back(self, claim: Claim, way: Way, slot: Slot) -> None:
        """Leave a claimed job as it was: no attempt may begin any more."""
        way.gate.leave(slot, None)
        state = claim.job.state
        if isinstance(state, Sending):
            waiting = release(state, now=self._queue.now())
            await self._queue.settle(claim, waiting)

    async def fail_expired(self) -> bool:
        """Give up waiting mail whose end has come; tell whether there was some."""
        claims = await self._queue.expired(EXPIRES_AT_ONCE)
        for claim in claims:
            if isinstance(claim.job.state, Queued):
                failed = expire(claim.job.state, now=self._queue.now())
                reports = self._reports(claim.job, failed)
                await self._settle(claim, failed, reports, None)
        return bool(claims)


def _counted(job: Job) -> Job:
    """The job for one more attempt, begun at once."""
    if not isinstance(job.state, Sending):
        return job
    return replace(job, state=replace(job.state, attempts=job.state.attempts + 1))
