"""The jobs of the bucket for people: list, show, retry and drop, beside all relays.

Synchronous, as the spool's ledger: a command line has a loop of its own for it, a
relay that runs lends it the one that it has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, assert_never

from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.audit import Found, redrive, ring
from relay.fleet.aws import FleetSettings
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.claims import delete
from relay.fleet.connect import Run, lent_run, own_loop
from relay.fleet.entry import Entry, entry
from relay.fleet.lease import hand
from relay.fleet.names import names
from relay.fleet.record import Later, Standing
from relay.model.job import Failed, Queued, RetryPolicy, Sending, revive
from relay.queue import Unwritable
from relay.queue.file import UnusableSpool
from relay.queue.listing import Change, ListedJob
from relay.queue.obstacle import Obstacle
from relay.queue.rows import Unreadable
from relay.queue.selection import Selection

T = TypeVar("T")

AT_ONCE = 50  # entries read at one time
TRIES = 3  # at a job that others move meanwhile


@contextmanager
def open_ledger(settings: FleetSettings) -> Iterator[BucketLedger]:
    """Connect with a loop of its own. Raises UnusableSpool, here and in each use."""
    with own_loop(settings) as (bucket, bell, run):
        yield BucketLedger(bucket, bell, run)


@contextmanager
def lent_ledger(
    bucket: Bucket, bell: Bell, loop: asyncio.AbstractEventLoop
) -> Iterator[BucketLedger]:
    """By the loop of a relay that runs, for a thread beside it."""
    yield BucketLedger(bucket, bell, partial(lent_run, loop))


class BucketLedger:
    """A `Book` of the bucket; its clock is Unix time."""

    def __init__(self, bucket: Bucket, bell: Bell, run: Run) -> None:
        self._bucket = bucket
        self._bell = bell
        self._run = run
        self._began = time.time()

    def now(self) -> float:
        return time.time()

    def unix(self, at: float) -> float:
        return at

    def count(self, selection: Selection) -> tuple[int, int]:
        found = [one.job.id for one in self.entries(selection)]
        return len(found), len(set(found))

    def entries(self, selection: Selection, *, after: str = "") -> Iterator[ListedJob]:
        for one in self._chosen(selection, after=after):
            yield one.listed()

    def retry(self, selection: Selection, *, give_up_after: float) -> Iterator[Change]:
        policy = RetryPolicy(delays={}, give_up_after=give_up_after)
        for one in self._chosen(selection):
            yield self._do(self._moved(one, lambda now: self._retry(now, policy)))

    def drop(self, selection: Selection) -> Iterator[Change]:
        for one in self._chosen(selection):
            yield self._do(self._moved(one, self._drop))

    def redrive(self, *, older_than: float) -> Found:
        """Hint at all that waits and came before then. Raises UnusableSpool."""
        now = self.now()
        work = redrive(self._bucket, self._bell, before=now - older_than, now=now)
        found: Found = self._do(work)
        return found

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            done: T = self._run(work)
        except Unwritable as error:
            raise UnusableSpool(str(error)) from error
        return done

    # Which are meant.

    def _chosen(self, selection: Selection, *, after: str = "") -> Iterator[Entry]:
        if selection.cause or selection.account is not None or selection.terms:
            # To leave out what it asks for would mean other mails.
            raise ValueError("a shared queue has no groups and no searches")
        if "/" in after or not after.isprintable() or len(after) > 100:
            return
        found = self._pages(selection, after)
        left = selection.limit
        # All at once: whoever changes what it sees must not see that again.
        while (page := self._do(_next(found))) is not None:
            for one in page:
                if left is not None:
                    if left <= 0:
                        return
                    left -= 1
                yield one

    async def _pages(
        self, selection: Selection, after: str
    ) -> AsyncIterator[list[Entry]]:
        some: list[str] = []
        async for listed in names(self._bucket, ids=selection.ids, after=after):
            some.append(listed.key.rpartition("/")[2])
            if len(some) == AT_ONCE:
                yield await self._read(some, selection)
                some = []
        yield await self._read(some, selection)

    async def _read(self, some: list[str], selection: Selection) -> list[Entry]:
        ends = await asyncio.gather(*map(self._entry, some))
        return [one for one in ends if one is not None and self._is(one, selection)]

    async def _entry(self, name: str) -> Entry | None:
        try:
            return await entry(self._bucket, name, kindly=True)
        except (Later, Unreadable):
            return None  # whoever wrote it knows it

    def _is(self, one: Entry, selection: Selection) -> bool:
        job, state = one.record.job, one.stands.state
        states, usage = selection.states, selection.usage
        age = self._began - job.accepted_at
        return (
            (not states or type(state).__name__.lower() in states)
            and (usage is None or job.mail.choice.usage == usage)
            and _is_to(job.mail.envelope.recipients, selection.recipient)
            and (selection.later or not _is_later(one, self._began))
            and (selection.older_than is None or age >= selection.older_than)
            and (selection.newer_than is None or age <= selection.newer_than)
            and job.accepted_at <= self._began
        )

    # One of them.

    async def _moved(
        self, one: Entry, move: Callable[[Entry], Coroutine[Any, Any, Change | None]]
    ) -> Change:
        """Do it to the job as it is now; `move` gives None where others were faster."""
        before = one.listed()
        for _ in range(TRIES):
            try:
                now = await entry(self._bucket, one.name)
            except (Later, Unreadable):
                return Change(before, Obstacle.LATER)
            if now is None:
                return Change(before, Obstacle.GONE)
            if now.in_hand:
                return Change(now.listed(), Obstacle.IN_HAND)
            if (change := await move(now)) is not None:
                return change
        return Change(before, Obstacle.IN_HAND)

    async def _retry(self, one: Entry, policy: RetryPolicy) -> Change | None:
        now, job, stands = self.now(), one.job, one.stands
        end = policy.end(now, job.mail.choice.valid_for)
        state, expires_at = stands.state, stands.expires_at
        match state:
            case Queued() if _is_later(one, now):
                waits, expires_at = replace(state, due=now), end
            case Queued():
                waits = replace(state, due=min(state.due, now))
            case Sending():  # and nobody is at it any more
                waits = Queued(state.attempts, now, state.last, maybe_sent=True)
            case Failed():
                if await self._is_voided(one):
                    return Change(one.listed(), Obstacle.VOIDED)
                waits, expires_at = revive(state, now=now), end
            case _:
                assert_never(state)
        put = await self._put(one, Standing(waits, by=hand(), expires_at=expires_at))
        if put is None:
            return None
        await ring(self._bell, put, now)
        return Change(put.listed())

    async def _drop(self, one: Entry) -> Change | None:
        state, now = one.stands.state, self.now()
        if not isinstance(state, Failed):
            # Nobody may begin an attempt on it while it is being deleted.
            why = records.DROPPED
            over = Failed(state.attempts, now, why, state.maybe_sent)
            if await self._put(one, replace(one.stands, state=over, by=hand())) is None:
                return None
        await delete(self._bucket, one.name, shared=one.record.shared)
        return Change(one.listed())

    async def _put(self, one: Entry, stands: Standing) -> Entry | None:
        key = keys.state_key(one.name)
        body = stands.to_bytes(self.now())
        etag = await self._bucket.put(key, body, match=one.etag)
        if etag is None:
            found = await self._bucket.get(key)
            if found is None or records.standing(found.body).by != stands.by:
                return None
            etag = found.etag
        return replace(one, stands=stands, etag=etag, age=0.0)

    async def _is_voided(self, one: Entry) -> bool:
        job = one.job
        if not job.mail.choice.supersedes:
            return False
        found = await self._bucket.get(keys.newest_key(job.mail))
        newest = None if found is None else records.newest(found.body)
        return newest is not None and newest[0] > job.accepted_at


async def _next(pages: AsyncIterator[list[Entry]]) -> list[Entry] | None:
    return await anext(pages, None)


def _is_later(one: Entry, now: float) -> bool:
    """Tell whether it waits for a time that its client asked for."""
    began, state = one.record.job.send_at, one.stands.state
    waits = isinstance(state, Queued) and one.stands.expires_at is None
    return began is not None and began > now and waits


def _is_to(recipients: tuple[str, ...], recipient: str) -> bool:
    """Tell whether an address, or one of a domain, is among them."""
    if not recipient:
        return True
    local, _, domain = recipient.lower().rpartition("@")
    wanted = f"{local}@{domain}"
    found = [address.lower() for address in recipients]
    if local:
        return wanted in found
    return any(address.endswith(wanted) for address in found)
