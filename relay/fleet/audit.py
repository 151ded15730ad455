"""Looks for mail that nobody works on, and has somebody look at it.

Hints are lost when a queue is purged, replaced or full of what nobody could send; a
crash may leave a record that never had one. The bucket knows all of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import uniform

from relay import log
from relay.fleet.bell import LONGEST_DELAY, Bell
from relay.fleet.bucket import Bucket
from relay.fleet.claims import delete
from relay.fleet.entry import Entry, entry
from relay.fleet.names import names
from relay.fleet.record import Later
from relay.model.job import Failed, Queued, Sending
from relay.queue import Unwritable
from relay.queue.rows import Unreadable

EVERY = 6 * 3600.0  # seconds
ABOUT = 0.5
SETTLED = 3600.0  # seconds: younger mail is somebody's
AT_ONCE = 20
MOST_TAKEOVERS = 5  # what so many began and none ended is the operator's


@dataclass(slots=True)
class Found:
    """What a look came to."""

    looked: int = 0
    hinted: int = 0
    forgotten: int = 0
    left: int = 0  # to the operator: taken over too often, or not readable


class Audit:
    """Looks at all of the bucket now and then.

    `seen_until` is until when all hints that were sent have been received: what waits
    in the queue needs no other. `keep_failed` is how long failed mail is kept.
    """

    def __init__(
        self,
        bucket: Bucket,
        bell: Bell,
        *,
        unix: Callable[[], float],
        seen_until: Callable[[], float],
        keep_failed: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._bell = bell
        self._unix = unix
        self._seen_until = seen_until
        self._keep_failed = keep_failed

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every six hours or so, until told to stop."""
        while not stopping.is_set():
            await asyncio.sleep(EVERY * uniform(1 - ABOUT, 1 + ABOUT))  # noqa: S311
            try:
                found = await self.look(before=self._seen_until() - SETTLED)
            except Unwritable as error:
                log.line(logging.WARNING, "audit not done", detail=str(error))
                continue
            log.line(
                logging.WARNING if found.hinted or found.left else logging.INFO,
                "audit",
                mails=found.looked,
                hinted=found.hinted,
                forgotten=found.forgotten,
                left=found.left,
            )

    async def look(self, *, before: float) -> Found:
        """Look at what was written before then. Raises Unwritable."""
        found = Found()
        some: list[str] = []
        async for listed in names(self._bucket):
            if listed.modified <= before:
                some.append(listed.key.rpartition("/")[2])
            if len(some) == AT_ONCE:
                await self._look_at(some, found)
                some = []
        await self._look_at(some, found)
        return found

    async def _look_at(self, some: list[str], found: Found) -> None:
        ends = await asyncio.gather(
            *[entry(self._bucket, name) for name in some], return_exceptions=True
        )
        for end in ends:
            found.looked += 1
            if isinstance(end, Later | Unreadable):
                found.left += 1
            elif isinstance(end, BaseException):
                raise end
            elif end is not None:
                await self._mend(end, found)

    async def _mend(self, one: Entry, found: Found) -> None:
        state, now = one.stands.state, self._unix()
        match state:
            case Failed(at=at):
                if at + self._keep_failed() <= now:
                    await delete(self._bucket, one.name, shared=one.record.shared)
                    found.forgotten += 1
            case Queued(due=due):
                # Due for so long, it would have been tried.
                if due + SETTLED <= now:
                    await ring(self._bell, one, now)
                    found.hinted += 1
            case Sending():
                if one.stands.takeovers >= MOST_TAKEOVERS:
                    found.left += 1
                elif not one.in_hand:
                    await ring(self._bell, one, now)
                    found.hinted += 1


async def redrive(bucket: Bucket, bell: Bell, *, before: float, now: float) -> Found:
    """Hint at all that waits and that nobody has in hand, whatever hints there are.

    What has a hint already has two then, of which one comes to nothing. Raises
    Unwritable.
    """
    found = Found()
    async for listed in names(bucket):
        if listed.modified > before:
            continue
        try:
            one = await entry(bucket, listed.key.rpartition("/")[2])
        except (Later, Unreadable):
            found.left += 1
            continue
        found.looked += 1
        if one is None or isinstance(one.stands.state, Failed) or one.in_hand:
            continue
        await ring(bell, one, now)
        found.hinted += 1
    return found


async def ring(bell: Bell, one: Entry, now: float) -> None:
    """Hint at a job. Raises Unwritable."""
    delay = min(one.waits_for(now), LONGEST_DELAY)
    usage = one.record.job.mail.choice.usage
    await bell.send(one.hint().to_text(), delay=delay, group=usage)
