"""Mail in: the record, then the hint, and only then somebody may hear 250."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from relay import log
from relay.fleet import hint as hints
from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.aws import BYTES_PER_SECOND
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.lease import Hold, Lease, hand
from relay.fleet.notes import BucketNotes
from relay.fleet.record import Standing
from relay.model.job import Failed, Job, Queued, Sending, Superseded
from relay.model.note import Note
from relay.queue import Unwritable
from relay.queue.clock import steady

WITHIN = 4.0  # seconds of a put in all: a client waits for it
UNDOES_FOR = 60  # times, a second apart


class Puts:
    """Puts jobs; what could not be put whole is deleted beside what comes next."""

    def __init__(
        self,
        bucket: Bucket,
        bell: Bell,
        notes: BucketNotes,
        *,
        lease: Callable[[], Lease],
        unix: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._bell = bell
        self._notes = notes
        self._lease = lease
        self._unix = unix
        self._undoing: set[asyncio.Task[None]] = set()

    async def put(self, jobs: Sequence[Job], note: Note | None) -> list[Hold]:
        """Put all or none; holds of those under way. Raises Unwritable."""
        put = _Put(self, jobs, note)
        size = sum(len(job.mail.content) for job in jobs)
        try:
            async with asyncio.timeout(WITHIN + size / BYTES_PER_SECOND):
                await put.write()
        except (Unwritable, TimeoutError) as error:
            task = asyncio.create_task(put.undo())
            self._undoing.add(task)
            task.add_done_callback(self._undoing.discard)
            if isinstance(error, Unwritable):
                raise
            raise Unwritable("S3 and SQS: no answer in time", error) from error
        return put.holds

    async def name_newest(self, jobs: Sequence[Job]) -> None:
        """Tell the fleet that these void what waits. Raises Unwritable."""
        newest = {
            keys.newest_key(job.mail): records.newest_of(job.accepted_at, job.id)
            for job in jobs
            if job.mail.choice.supersedes
        }
        await all_of([self._bucket.put(key, body) for key, body in newest.items()])

    async def drained(self) -> None:
        """Wait until nothing is left to undo."""
        while self._undoing:
            await asyncio.wait(self._undoing)


class _Put:
    def __init__(self, puts: Puts, jobs: Sequence[Job], note: Note | None) -> None:
        self._bucket = puts._bucket  # noqa: SLF001 - a part of it
        self._bell = puts._bell  # noqa: SLF001
        self._notes = puts._notes  # noqa: SLF001
        self._name_newest = puts.name_newest
        self._lease = puts._lease()  # noqa: SLF001
        self._now = puts._unix()  # noqa: SLF001
        self._jobs = [job for job in jobs if not isinstance(job.state, Superseded)]
        self._note = note
        # Calls that share a content, by id and content.
        self._calls = Counter(map(_shared, self._jobs))
        self._noting = False
        self.holds: list[Hold] = []
        self._bodies = {
            keys.mail_key(keys.name_of(job)): records.record(
                job, self._stands(job), calls=self._calls[_shared(job)], now=self._now
            )
            for job in self._jobs
        }

    def _stands(self, job: Job) -> Standing:
        state = job.state
        if not isinstance(state, Queued | Sending | Failed):
            raise ValueError("what SES took needs no place in the bucket")
        lease = self._lease.of(len(job.mail.content))
        return Standing(state, lease=lease if isinstance(state, Sending) else 0.0)

    @property
    def _contents(self) -> dict[str, bytes]:
        return {
            keys.content_key(job.id): job.mail.content
            for job in self._jobs
            if self._calls[_shared(job)] > 1
        }

    async def write(self) -> None:
        """Write in the order in which each finds what it speaks of."""
        await all_of(
            [self._bucket.put(key, body) for key, body in self._contents.items()]
        )
        # An id is new: what is there already was written by the try before.
        await all_of(
            [
                self._bucket.put(key, body, match="")
                for key, body in self._bodies.items()
            ]
        )
        note = self._note
        if note is not None and note.key is not None:
            self._noting = True
            await self._notes.write(replace(note, limit=None))
        await self._name_newest(self._jobs)
        await all_of([self._ring(job) for job in self._jobs])
        if note is not None and note.limit is not None:
            # Last: what is refused must not count.
            await self._notes.write(replace(note, key=None))

    async def _ring(self, job: Job) -> None:
        state, size = job.state, len(job.mail.content)
        if isinstance(state, Failed):
            return
        begun = isinstance(state, Sending)
        stands = self._stands(job)
        text = hints.hint_of(job, stands, size, begun=begun).to_text()
        delay = stands.lease if begun else hints.delay(stands, self._now)
        until = steady() + stands.lease
        await self._bell.send(text, delay=delay, group=job.mail.choice.usage)
        if begun:
            name, calls = keys.name_of(job), self._calls[_shared(job)]
            self.holds.append(Hold(name, job, stands, size, calls, "", hand(), until))

    async def undo(self) -> None:
        """Delete what was written: the client heard that it was not taken.

        The key first: with it alone, who comes again would hear a 250 that is not true.
        """
        gone = [*self._bodies, *self._contents]
        for _ in range(UNDOES_FOR):
            try:
                if self._noting and self._note is not None and self._note.key:
                    await self._notes.forget(self._note.key)
                await all_of([self._bucket.delete(key) for key in gone])
            except Unwritable:
                await asyncio.sleep(1)
            else:
                return
        names = [keys.name_of(job) for job in self._jobs]
        log.line(logging.ERROR, "not deleted", id=names[0] if names else "")


def _shared(job: Job) -> tuple[str, int]:
    return job.id, id(job.mail.content)


async def all_of(work: Sequence[Awaitable[Any]]) -> None:
    """Do all of it, and then raise what the first came to that failed."""
    ends = await asyncio.gather(*work, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
