"""Attempts on mail, and the record of how they end.

An attempt outlives the client that waits for it. What a cut-off one leaves in the
spool as `sending` is taken back at the next start.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVarTuple

from relay import log
from relay.delivery import attempt
from relay.delivery.admission import Slot
from relay.delivery.dsn import Reporter
from relay.delivery.use import Use
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
from relay.system.handover import Watch, driven

EXPIRES_AT_ONCE = 50

On = TypeVarTuple("On")


class InHand:
    """A job on which an attempt is under way; `voided`: newer mail took its place."""

    __slots__ = ("job", "voided")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.voided = False


class Work:
    """What is in hand: the tasks, and the jobs whose templates supersede."""

    def __init__(self) -> None:
        self.tasks: dict[int, asyncio.Task[None]] = {}  # by their numbers
        self.begun = 0
        # By what each voids.
        self.superseding: defaultdict[str, list[InHand]] = defaultdict(list)


class Attempts:
    """Makes attempts, for clients that wait and for the worker.

    `use` counts them as long as they are under way. `work` is what is in hand, also of
    who makes attempts by other settings.
    """

    def __init__(
        self,
        *,
        events: Events,
        queue: Queue,
        policy: RetryPolicy,
        reporter: Reporter,
        use: Use | None = None,
        work: Work | None = None,
    ) -> None:
        self.use = Use() if use is None else use
        self._events = events
        self._queue = queue
        self._policy = policy
        self._reporter = reporter
        self.work = Work() if work is None else work
        self._tasks = self.work.tasks
        self._in_hand = self.work.superseding

    def begin(
        self, work: Callable[[*On], Coroutine[None, None, None]], *on: *On
    ) -> None:
        """Have `work` done `on` these, in a task that `drained` waits for."""
        number = self._number()
        self._go_on(number, self._do(number, work, *on))

    def begin_here(
        self,
        watch: Watch,
        until: float,
        work: Callable[[*On], Coroutine[None, None, None]],
        *on: *On,
    ) -> Awaitable[None]:
        """Have `work` done `on` these in the running task, which awaits what is given.

        When `watch` gives its wait up, at `until` by the loop's time, it goes on in a
        task of its own.
        """
        number = self._number()
        return driven(
            self._do(number, work, *on), watch, until, partial(self._go_on, number)
        )

    def _number(self) -> int:
        self.use.enter()
        self.work.begun += 1
        return self.work.begun

    def _go_on(self, number: int, work: Coroutine[None, None, None]) -> None:
        # It tells of its end itself: a callback would be a turn of the loop for each.
        # By the loop, and with a name, which asyncio would make up for each.
        loop = asyncio.get_running_loop()
        self._tasks[number] = loop.create_task(work, name="attempt")

    async def _do(
        self,
        number: int,
        work: Callable[[*On], Coroutine[None, None, None]],
        *on: *On,
    ) -> None:
        try:
            await work(*on)
        except Exception as error:  # noqa: BLE001 - one mail's attempt is a boundary
            log.broken("attempt not recorded", error)
        finally:
            self.use.leave()
            self._tasks.pop(number, None)  # none, where it ended in its client's

    async def drained(self) -> None:
        """Wait until no attempt is under way, and each end is recorded.

        But for those of clients' tasks, which their gates tell of.
        """
        try:
            while self._tasks:
                await asyncio.wait(self._tasks.values())
        finally:
            cut_off = dict(self._tasks)
            for task in cut_off.values():
                task.cancel()
            await asyncio.gather(*cut_off.values(), return_exceptions=True)
            for number in cut_off:  # one that had not begun could not tell of its end
                self._tasks.pop(number, None)

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
        again = False
        try:
            while True:
                job, began = work.job, time.monotonic()
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
                worth_it = isinstance(outcome, Deferred) and outcome.at_once
                if again or not worth_it or way.gate.stopping:
                    break
                again = True
                work.job = _counted(job)
        finally:
            way.gate.leave(slot, outcome)
        if way.account != work.job.mail.options.account:
            outcome = by_fallback(outcome)
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
        self.begin(self._claimed, claim, way, slot)

    async def _claimed(self, claim: Claim, way: Way, slot: Slot) -> None:
        if way.gate.stopping or not self._queue.holds(claim):
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
    return job._replace(state=replace(job.state, attempts=job.state.attempts + 1))
