"""The queue of a fleet: S3 holds the truth, SQS says when to look (docs/fleet.md).

Nothing is kept in this process but what it has in hand; a claim is a conditional write
in the bucket, so that any number of relays work on one queue.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from relay import log
from relay.fleet.audit import Audit
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.claims import Claims
from relay.fleet.ends import Ends
from relay.fleet.here import Here
from relay.fleet.hooks import BucketHooks
from relay.fleet.lease import Hold, Lease
from relay.fleet.notes import BucketNotes
from relay.fleet.proofs import Proofs
from relay.fleet.puts import Puts
from relay.fleet.receiver import Receiver
from relay.fleet.suppression import BucketSuppressions
from relay.fleet.times import shifted, state_shifted
from relay.fleet.watch import Watch
from relay.model.job import Job, Replaced, Sent
from relay.model.mail import Priority
from relay.model.note import Note
from relay.model.proof import Proof
from relay.model.submission import MailId
from relay.queue import Claim, End, Figures, Unwritable
from relay.queue.clock import Clock
from relay.queue.lanes import Lanes

ENDS_EVERY = 0.5  # seconds: ends that could not be written
DAY = 86_400.0
CLOSES_WITHIN = 5.0  # seconds for what is under way beside


class SqsQueue:
    """A `Spool` that a fleet shares; `run` receives, and keeps it in order."""

    name = "queue"
    unready = "the queue cannot be reached"
    keeps_first = True

    def __init__(
        self,
        bucket: Bucket,
        bell: Bell,
        *,
        accounts: Sequence[str] = ("",),
        attempt_timeout: float = 20.0,
        keep_keys: float = DAY,
        keep_failed: float = 14 * DAY,
    ) -> None:
        self.lanes = Lanes(accounts)
        self._room: Callable[[int], int] = lambda most: most
        self._told: Callable[[Replaced, MailId], None] = lambda older, by: None
        self.bucket = bucket
        self.bell = bell
        self._lease = Lease(attempt_timeout)
        self._clock = Clock()
        self.notes = BucketNotes(
            bucket, keep_keys=keep_keys, now=self.now, unix=self._unix_now
        )
        self.suppressions = BucketSuppressions(bucket, unix=self._unix_now)
        self.hooks = BucketHooks(bucket, now=self.now, unix=self.unix)
        given: dict[str, Any] = {"lease": lambda: self._lease, "unix": self._unix_now}
        self._puts = Puts(bucket, bell, self.notes, **given)
        self._claims = Claims(bucket, bell, **given, on_overtaken=self._overtaken)
        self._ends = Ends(bucket, bell, self._claims, unix=self._unix_now)
        self._proofs = Proofs(bucket, self._claims, **given)
        self._here = Here(self.lane)
        self.watch = Watch(bucket, bell)
        self._receiver = Receiver(
            bell,
            self._claims,
            self._here,
            room=lambda most: self._room(most) if self.watch.tried else 0,
            now=self.now,
            changed=self._tell,
            **given,
        )
        self._keep_failed = keep_failed
        self._audit = Audit(
            bucket,
            bell,
            unix=self._unix_now,
            seen_until=lambda: self._receiver.seen_until,
            keep_failed=lambda: self._keep_failed,
        )
        self._tokens = itertools.count(1)
        self._held: dict[int, Hold] = {}
        self._over: dict[int, Claim] = {}
        self._unwritten: deque[tuple[Claim, Hold, End, Sequence[Job]]] = deque()
        self._beside: set[asyncio.Task[None]] = set()
        self._changed: list[Callable[[], None]] = []

    def take(
        self,
        *,
        accounts: Sequence[str],
        attempt_timeout: float,
        keep_sent: float,
        keep_failed: float,
        keep_keys: float,
    ) -> None:
        """Go on by other settings; nothing is kept of sent mail."""
        self.lanes.know(accounts)
        self._lease = Lease(attempt_timeout)
        self._keep_failed = keep_failed
        self.notes.take(keep_keys=keep_keys)

    # What is known without asking anybody.

    def now(self) -> float:
        return self._clock.now()

    def unix(self, at: float) -> float:
        return at + self._clock.ahead

    def _unix_now(self) -> float:
        return self.unix(self.now())

    def lane(self, account: str) -> int:
        return self.lanes.of(account)

    def is_due(
        self, priority: Priority = Priority.LOW, lanes: Sequence[int] | None = None
    ) -> bool:
        if self._here.has(priority, lanes):
            return True
        # What waits in SQS is older; codes do not heed it.
        return priority is not Priority.HIGH and self._receiver.is_behind

    def due_in(self, lanes: Sequence[int] | None = None) -> float | None:
        return 0.0 if self._over or self._here.has(Priority.LOW, lanes) else None

    def on_change(self, changed: Callable[[], None]) -> None:
        self._changed.append(changed)

    def figures(self) -> Figures:
        return Figures(self.watch.waiting, self.watch.sending, None)

    async def check(self) -> None:
        await self.watch.check()

    def on_room(self, room: Callable[[int], int]) -> None:
        self._room = room

    def on_overtaken(self, told: Callable[[Replaced, MailId], None]) -> None:
        self._told = told

    def _overtaken(self, older: Replaced, by: MailId) -> None:
        self._told(older, by)

    def _tell(self) -> None:
        for changed in self._changed:
            changed()

    # Mail in, out, and back.

    async def put(
        self, jobs: Sequence[Job], note: Note | None = None
    ) -> tuple[Sequence[Claim], list[Replaced]]:
        self.watch.passed()
        ahead = self._clock.ahead
        holds = await self._puts.put([shifted(job, ahead) for job in jobs], note)
        by_call = {(hold.job.id, hold.job.number): hold for hold in holds}
        claims = []
        for job in jobs:
            hold = by_call.get((job.id, job.number))
            if hold is not None:
                claims.append(self._held_as(hold, job))
        return claims, []

    async def supersede(self, newer: Sequence[Job]) -> list[Replaced]:
        """Void what waits, beside what comes next; who finds it tells of it."""

        async def name() -> None:
            try:
                ahead = self._clock.ahead
                await self._puts.name_newest([shifted(job, ahead) for job in newer])
            except Unwritable as error:
                # It may still be sent, which is worse than late, and better than lost.
                log.line(
                    logging.ERROR,
                    "older mail not superseded",
                    id=newer[0].id,
                    detail=str(error),
                )

        if newer:
            self._do_beside(name())
        return []

    async def claim(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None = None,
        unmarked: Collection[int] = (),
    ) -> Sequence[Claim]:
        some = self._here.take(limit, size=size, lanes=lanes, unmarked=unmarked)
        ends = await asyncio.gather(
            *map(self._claims.claim, some), return_exceptions=True
        )
        claims: list[Claim] = []
        failed: BaseException | None = None
        for end in ends:
            if isinstance(end, BaseException):
                failed = end
            elif end is not None:
                claim = self._held_as(end, shifted(end.job, -self._clock.ahead))
                if end.over:
                    self._over[claim.token] = claim
                else:
                    claims.append(claim)
        if failed is not None and not (claims and isinstance(failed, Unwritable)):
            raise failed
        if self._over:
            self._tell()
        self._receiver.look()
        return claims

    async def expired(self, limit: int) -> Sequence[Claim]:
        return list(itertools.islice(self._over.values(), limit))

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | None:
        hold = self._held.pop(claim.token, None)
        self._over.pop(claim.token, None)
        if hold is None:
            return None
        try:
            return await self._end(hold, state, reports)
        except Unwritable as error:
            log.line(
                logging.ERROR,
                "end not written",
                id=claim.job.id,
                detail=f"{error}; kept in memory until it can be",
            )
            self._unwritten.append((claim, hold, state, reports))
            return state

    def holds(self, claim: Claim) -> bool:
        hold = self._held.get(claim.token)
        return hold is not None and hold.lasts(self._lease.attempt(hold.size))

    async def confirm(self, proof: Proof) -> Job | None:
        if (hold := await self._proofs.claim(proof)) is None:
            return None
        job = shifted(hold.job, -self._clock.ahead)
        if isinstance(job.state, Sent):
            await self.settle(self._held_as(hold, job), job.state)
        return job

    async def due_now(self, lanes: Sequence[int] | None = None) -> None:
        """Nothing to do: what waits in SQS has its time there."""

    async def _end(self, hold: Hold, state: End, reports: Sequence[Job]) -> End | None:
        ahead = self._clock.ahead
        came_to = await self._ends.end(
            hold,
            state_shifted(state, ahead),
            [shifted(job, ahead) for job in reports],
        )
        return None if came_to is None else state_shifted(came_to, -ahead)

    def _held_as(self, hold: Hold, job: Job) -> Claim:
        token = next(self._tokens)
        self._held[token] = hold
        return Claim(job, token)

    # The service.

    async def run(self, stopping: asyncio.Event) -> None:
        """Receive until told to stop, and write what could not be written."""
        watching = [
            asyncio.create_task(work)
            for work in (
                self._receiver.run(stopping),
                self.watch.run(),
                self._audit.run(stopping),
                self.hooks.run(),
            )
        ]
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                done, _ = await asyncio.wait(
                    [stop, *watching],
                    timeout=ENDS_EVERY,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done - {stop}:
                    task.result()  # a part that broke ends the relay
                await self._write_back()
            await self._receiver.give_back()
        finally:
            for task in (stop, *watching):
                task.cancel()
            await asyncio.gather(stop, *watching, return_exceptions=True)

    async def _write_back(self) -> None:
        if step := self._clock.follow():
            log.line(logging.WARNING, "clock was set", seconds=round(step, 1))
        try:
            while self._unwritten:
                claim, hold, state, reports = self._unwritten[0]
                await self._end(hold, state, reports)
                self._unwritten.popleft()
                log.line(logging.INFO, "end written", id=claim.job.id)
            await self.notes.write_back()
        except Unwritable as error:
            log.line(logging.DEBUG, "queue not writable", detail=str(error))

    async def close(self) -> None:
        """Write what is still to be written; what cannot be, the lease ends."""
        try:
            async with asyncio.timeout(CLOSES_WITHIN):
                await self._write_back()
                while self._beside:
                    await asyncio.wait(self._beside)
                await self._puts.drained()
                await self.bell.drained()
                await self._leave_hooks()
        except TimeoutError:
            log.line(logging.ERROR, "queue not closed well", detail="no answer in time")

    async def _leave_hooks(self) -> None:
        try:
            await self.hooks.close()
        except Unwritable as error:  # others take over what it left, minutes later
            log.line(logging.WARNING, "webhooks not left well", detail=str(error))

    def _do_beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
