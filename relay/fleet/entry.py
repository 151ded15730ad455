"""A job of the bucket as it stands now, for lists, changes and the audit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.bucket import Bucket
from relay.fleet.hint import UNKNOWN_ETAG, Hint, hint_of
from relay.fleet.record import Record, Standing
from relay.model.job import Failed, Job, Queued, Sending
from relay.queue import rows
from relay.queue.listing import ListedJob


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and where it stands; `etag` "" where the record alone says that.

    `age`: seconds since that was written.
    """

    name: str
    record: Record
    stands: Standing
    etag: str
    age: float

    @property
    def job(self) -> Job:
        """The job, without its content."""
        job = self.record.job
        expires_at = self.stands.expires_at or job.expires_at
        return job._replace(state=self.stands.state, expires_at=expires_at)

    @property
    def in_hand(self) -> bool:
        """Whether somebody may be at an attempt on it."""
        sending = isinstance(self.stands.state, Sending)
        return sending and self.age <= self.stands.lease

    def hint(self) -> Hint:
        """What tells others to look at it."""
        begun = isinstance(self.stands.state, Sending) and not self.etag
        found = hint_of(self.job, self.stands, self.record.size, self.etag, begun=begun)
        if isinstance(self.stands.state, Sending) and self.etag:
            # Not by this tag: who comes has to see that the lease is over.
            return replace(found, etag=UNKNOWN_ETAG)
        return found

    def listed(self) -> ListedJob:
        """The job as lists show it."""
        state = self.stands.state
        said = state.reply if isinstance(state, Failed) else state.last
        return ListedJob(
            self.name,
            self.job,
            self.record.size,
            rows.text(said),
            state.maybe_sent,
        )

    def waits_for(self, now: float) -> float:
        """Seconds until it is due; 0.0 where it does not wait."""
        state = self.stands.state
        return max(state.due - now, 0.0) if isinstance(state, Queued) else 0.0


async def entry(bucket: Bucket, name: str, *, kindly: bool = False) -> Entry | None:
    """The job of this name; None: it has gone.

    Raises Unwritable, Later and Unreadable; `kindly`: what cannot be read is left out.
    """
    found, state = await asyncio.gather(
        bucket.line(keys.mail_key(name)), bucket.get(keys.state_key(name))
    )
    if found is None:
        return None
    record = records.read(found.body, whole=False, kindly=kindly)
    if state is None:
        return Entry(name, record, record.standing, "", found.age)
    return Entry(name, record, records.standing(state.body), state.etag, state.age)
