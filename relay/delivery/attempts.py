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
from typing import Any, NamedTuple, Self, TypeVarTuple

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
from relay.system.handover import resumed

EXPIRES_AT_ONCE = 50

On = TypeVarTuple("On")


class InHand:
    """A job on which an attempt is under way; `voided`: newer mail took its place."""

    __slots__ = ("job", "voided")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.voided = False


class Begun(NamedTuple):
    """An attempt that is under way, `since` a monotonic time."""

    since: float
    outcome: Awaitable[Outcome]

    @classmethod
    def of(
        cls, since: float, work: Coroutine[Any, Any, Outcome], outcome: Outcome | None
    ) -> Self:
        """The attempt that is `work`, which came to `outcome`; None: it goes on."""
        if outcome is None:
            return cls(since, resumed(work))
        known = asyncio.get_running_loop().create_future()
        known.set_result(outcome)
        return cls(since, known)


class Work:
    """What is in hand: the tasks, and the jobs whose templates supersede."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
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
        self.use.enter()
        # By the loop, and with a name, which asyncio would make up for each.
        loop = asyncio.get_running_loop()
        self._tasks.add(loop.create_task(self._do(work, *on), name="attempt"))

    async def _do(
        self, work: Callable[[*On], Coroutine[None, None, None]], *on: *On
    ) -> None:
        try:
            await work(*on)
        except Exception as error:  # noqa: BLE001 - one mail's attempt is a boundary
            log.broken("attempt not recorded", error)
        finally:
            self.use.leave()
            # Not by a callback of the task, which would be a turn of the loop for each.
            task = asyncio.current_task()
            if task is not None:
                self._tasks.discard(task)

    async def drained(self) -> None:
        """Wait until no attempt is under way, and each end is recorded.

        But for those that clients make themselves, which their gates tell of.
        """
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            cut_off = set(self._tasks)
            for task in cut_off:
                task.cancel()
            await asyncio.gather(*cut_off, return_exceptions=True)
            self._tasks -= cut_off  # one that had not begun could not tell of its end

    # One attempt.

    def take_up(self, work: InHand) -> None:
        """Note that an attempt on this job begins; `put_down` follows."""
        if work.job.mail.choice.supersedes:
            self._in_hand[voids(work.job.mail)].append(work)

    async def make(
        self, work: InHand, way: Way, slot: Slot, begun: Begun | None = None
    ) -> Outcome:
        """Attempt once, or again where that is worth it; the job counts each.

        By one way a second time with new credentials where they were old, and then
        by the fallback. What the mail's own account may take is not refused by that.
        `begun` is the first attempt, where it is under way already.
        """
        mail = work.job.mail
        while True:
            said: Outcome | None = None
            again = False
            try:
                while True:
                    job = work.job
                    since, coming = begun or Begun(
                        time.monotonic(), attempt(way.transport, mail, job.id)
                    )
                    begun = None
                    said = outcome = await coming
                    self._events.emit(
                        Attempted(
                            job.id,
                            job.number,
                            mail,
                            job.state.attempts,
                            outcome,
                            time.monotonic() - since,
                            way.account,
                        )
                    )
                    worth_it = isinstance(outcome, Deferred) and outcome.at_once
                    if again or not worth_it or way.gate.stopping:
                        break
                    again = True
                    work.job = _counted(job)
            finally:
                way.gate.leave(slot, said)
            if way.account != mail.options.account:
                outcome = by_fallback(outcome)
            elsewhere = None
            if way.fallback is not None:
                elsewhere = _elsewhere(way.fallback, work.job, outcome)
            if elsewhere is None:
                return outcome
            way, slot = elsewhere
            work.job = _counted(work.job)

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
        self.take_up(work)
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


def _elsewhere(
    fallback: Way | None, job: Job, outcome: Outcome
) -> tuple[Way, Slot] | None:
    """Begin an attempt by a fallback, or by that one's, where one takes mail now."""
    if not may_go_elsewhere(job, outcome):
        return None
    while fallback is not None and fallback.gate.closed:
        fallback = fallback.fallback
    if fallback is None:
        return None
    mail = job.mail
    slot = fallback.gate.admit(len(mail.content), len(mail.envelope.recipients))
    return (fallback, slot) if isinstance(slot, Slot) else None


def _counted(job: Job) -> Job:
    """The job for one more attempt, begun at once."""
    if not isinstance(job.state, Sending):
        return job
    return job._replace(state=replace(job.state, attempts=job.state.attempts + 1))
