"""How an attempt ended, written: what is over is deleted, what waits has a new hint.

Each step can be repeated after a crash, and finds its own work done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from relay import log
from relay.fleet import hint as hints
from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket, Found
from relay.fleet.claims import Claims
from relay.fleet.lease import Hold
from relay.fleet.puts import all_of
from relay.fleet.record import Standing
from relay.model.job import Failed, Job, Queued, Sent, Superseded, supersede
from relay.model.submission import MailId
from relay.queue import End, Unwritable
from relay.queue.rows import Unreadable


class Ends:
    """Writes ends. Each raises Unwritable, and may be tried again with its hold."""

    def __init__(
        self,
        bucket: Bucket,
        bell: Bell,
        claims: Claims,
        *,
        unix: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._bell = bell
        self._claims = claims
        self._unix = unix

    async def end(self, hold: Hold, state: End, reports: Sequence[Job]) -> End | None:
        """Write it; None: somebody took the mail over, and it is theirs now."""
        if isinstance(state, Queued) and hold.job.mail.choice.supersedes:
            newer = await self._claims.newer(hold.job)
            if newer is not None:
                state = supersede(state, now=self._unix())
        match state:
            case Sent() | Superseded():
                if hold.stands.takeovers:
                    await self._withdraw_reports(hold)
                await self._claims.delete(hold)
                return state
            case Queued():
                return await self._wait(hold, state)
            case Failed():
                return await self._fail(hold, state, reports)

    async def _wait(self, hold: Hold, state: Queued) -> Queued | None:
        stands = replace(hold.stands, state=state, lease=0.0, by=hold.by)
        etag = await self._write(hold, stands)
        if etag is None:
            return None
        await self._ring(hold.job, stands, hold.size, etag)
        self._forget(hold)
        return state

    async def _fail(
        self, hold: Hold, state: Failed, reports: Sequence[Job]
    ) -> Failed | None:
        named = [
            job._replace(id=MailId(keys.report_id(hold.name, number)), number=0)
            for number, job in enumerate(reports)
        ]
        if not await self._is_ours(hold):
            return self._taken_over(hold)
        # Before the state: after a crash between them, it fails again, and the
        # reports are there.
        await all_of([self._put_report(job) for job in named])
        stands = replace(hold.stands, state=state, lease=0.0, by=hold.by)
        if await self._write(hold, stands) is None:
            return None
        await all_of([self._ring_report(job) for job in named])
        self._forget(hold)
        return state

    async def _withdraw_reports(self, hold: Hold) -> None:
        """Delete those of who was cut off while it failed: now it has not."""
        folder = keys.mail_key(f"{hold.name}.r")
        async for page in self._bucket.pages(folder):
            for listed in page:
                await self._bucket.delete(listed.key)

    async def _put_report(self, job: Job) -> None:
        if not isinstance(job.state, Queued):
            raise TypeError(f"{job.id} is no report that waits")
        body = records.record(job, Standing(job.state), now=self._unix())
        await self._bucket.put(keys.mail_key(keys.name_of(job)), body, match="")

    async def _ring_report(self, job: Job) -> None:
        if isinstance(job.state, Queued):
            await self._ring(job, Standing(job.state), len(job.mail.content), "")

    async def _write(self, hold: Hold, stands: Standing) -> str | None:
        """Put the state over the one that is ours; None: it is so no more."""
        key = keys.state_key(hold.name)
        body = stands.to_bytes(self._unix())
        etag = await self._bucket.put(key, body, match=hold.etag)
        if etag is not None:
            return etag
        found = await self._bucket.get(key)
        if found is not None and written_by(found) == hold.by:
            return found.etag
        return self._taken_over(hold)

    async def _is_ours(self, hold: Hold) -> bool:
        found = await self._bucket.get(keys.state_key(hold.name))
        if found is None:
            return not hold.etag
        return found.etag == hold.etag or written_by(found) == hold.by

    @staticmethod
    def _taken_over(hold: Hold) -> None:
        log.line(
            logging.WARNING,
            "taken over",
            id=hold.job.id,
            detail="the attempt took longer than its lease; its end is another's now",
        )

    async def _ring(self, job: Job, stands: Standing, size: int, etag: str) -> None:
        text = hints.hint_of(job, stands, size, etag).to_text()
        delay = hints.delay(stands, self._unix())
        try:
            await self._bell.send(text, delay=delay, group=job.mail.choice.usage)
        except Unwritable:
            log.line(logging.WARNING, "hint not sent", id=job.id)
            raise

    def _forget(self, hold: Hold) -> None:
        if hold.receipt:
            self._bell.forget(hold.receipt)


def written_by(found: Found) -> str:
    """Whose hand wrote a state; "" where that cannot be read."""
    try:
        return records.standing(found.body).by
    except (records.Later, Unreadable):
        return ""
