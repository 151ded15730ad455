"""The claim: from a hint to a job that nobody else attempts.

A conditional write of the state object decides; a hint that comes twice, late or
never does no harm. The record is read after the claim is won: before it, its sender
may just be about to delete it, and would be followed by a second sending.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from relay import log
from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.bell import LONGEST_DELAY, Bell
from relay.fleet.bucket import Bucket, Found
from relay.fleet.hint import UNKNOWN_ETAG, Hint
from relay.fleet.lease import Hold, Lease, hand
from relay.fleet.record import Later, Record, Standing
from relay.model.job import Failed, Job, Queued, Replaced, Sending, Superseded
from relay.model.replies import NO_CONTENT, unreadable
from relay.model.reply import Reply
from relay.model.submission import MailId
from relay.queue.clock import steady
from relay.queue.rows import Unreadable

TRIES = 4  # with others at the same job
LATER_LOOKS = 600  # seconds between looks at what a later release wrote
SOON = 1.0  # seconds that a mail may be before its time


@dataclass(frozen=True, slots=True)
class Looked:
    """A hint that was received, and the receipt that deletes it."""

    hint: Hint
    receipt: str


class Claims:
    """Claims jobs; `on_overtaken` is told of what newer mail superseded.

    `unix` is what the time is. Raises Unwritable, and nothing is claimed then; the
    hint comes again by itself.
    """

    def __init__(
        self,
        bucket: Bucket,
        bell: Bell,
        *,
        lease: Callable[[], Lease],
        unix: Callable[[], float],
        on_overtaken: Callable[[Replaced, MailId], None],
    ) -> None:
        self._bucket = bucket
        self._bell = bell
        self._lease = lease
        self._unix = unix
        self._on_overtaken = on_overtaken

    async def claim(self, looked: Looked) -> Hold | None:
        """Claim what a hint is about; None: there is nothing to do now."""
        try:
            return await self._claim(looked)
        except Later:
            await self.leave_alone(looked.receipt, looked.hint.name)
        except Unreadable as error:
            log.line(
                logging.ERROR,
                "left alone",
                id=looked.hint.name,
                detail=f"the state object cannot be read ({error}); see docs/fleet.md",
            )
            self._bell.hide(looked.receipt, LATER_LOOKS)
        return None

    async def leave_alone(self, receipt: str, name: str) -> None:
        """Have the hint come again, until its queue gives up; `redrive` brings it."""
        log.line(
            logging.WARNING,
            "left alone",
            id=name,
            detail="written by a later release; this one cannot send it",
        )
        self._bell.hide(receipt, LATER_LOOKS)

    async def later(self, looked: Looked, hint: Hint, seconds: float) -> None:
        """Have a hint come again in `seconds`, in the place of this one."""
        delay = min(max(seconds, 0.0), LONGEST_DELAY)
        await self._bell.send(hint.to_text(), delay=delay, group=hint.usage)
        self._bell.forget(looked.receipt)

    async def _claim(self, looked: Looked) -> Hold | None:
        # Before the first write, by which the lease begins.
        hint, by, began = looked.hint, hand(), steady()
        wait = hint.due - self._unix()
        if wait > SOON:
            await self.later(looked, hint, wait)
            return None
        if hint.etag == UNKNOWN_ETAG:
            return await self._contested(looked, by, began)
        marked = hint.begun
        if hint.begun:
            # Nearly always it is over, and the record gone.
            found = await self._record(hint)
            if found is None:
                self._bell.forget(looked.receipt)
                return None
            hint = _begun(hint, found)
        stands = self._sending(hint, by, marked=marked)
        etag = await self._put_state(hint.name, stands, match=hint.etag)
        if etag is None:
            return await self._contested(replace(looked, hint=hint), by, began)
        return await self._won(replace(looked, hint=hint), stands, etag, began)

    async def _contested(self, looked: Looked, by: str, began: float) -> Hold | None:
        """Claim where the state was not what the hint says, if it is to be claimed."""
        hint = looked.hint
        for _ in range(TRIES):
            found = await self._bucket.get(keys.state_key(hint.name))
            if found is None:
                if await self._record(hint) is None:
                    self._bell.forget(looked.receipt)
                    return None
                stands, match = self._sending(hint, by, marked=True), ""
            else:
                there = records.standing(found.body)
                if there.by == by:  # the answer to our own write was lost
                    return await self._won(looked, there, found.etag, began)
                claimable = await self._claimable(looked, there, found)
                if claimable is None:
                    return None
                hint = claimable
                taken_over = isinstance(there.state, Sending)
                stands = self._sending(hint, by, marked=taken_over)
                match = found.etag
            etag = await self._put_state(hint.name, stands, match=match)
            if etag is not None:
                return await self._won(replace(looked, hint=hint), stands, etag, began)
        await self.later(looked, replace(hint, etag=UNKNOWN_ETAG), SOON)
        return None

    async def _claimable(
        self, looked: Looked, there: Standing, found: Found
    ) -> Hint | None:
        """The hint as the state has it, where it may be claimed now."""
        hint = looked.hint
        now = replace(
            hint,
            etag=found.etag,
            begun=False,
            attempts=there.state.attempts,
            maybe=there.state.maybe_sent,
            last=None if isinstance(there.state, Failed) else there.state.last,
            takeovers=there.takeovers,
            expires_at=there.expires_at,
        )
        match there.state:
            case Failed():
                self._bell.forget(looked.receipt)
                return None
            case Sending():
                left = there.lease - found.age
                if left >= 0:
                    # Not by this tag: who comes then has to see that the lease is over.
                    unknown = replace(hint, etag=UNKNOWN_ETAG, begun=False)
                    await self.later(looked, unknown, left + SOON)
                    return None
                return now
            case Queued(_, due):
                now = replace(now, due=due)
                if due - self._unix() > SOON:
                    await self.later(looked, now, due - self._unix())
                    return None
                return now

    def _sending(self, hint: Hint, by: str, *, marked: bool) -> Standing:
        """The state of an attempt that begins; `marked`: one before was not seen."""
        return Standing(
            Sending(hint.attempts + 1, hint.maybe or marked, hint.last),
            hint.takeovers + marked,
            self._lease().of(hint.size),
            by,
            hint.expires_at,
        )

    async def _put_state(
        self, name: str, stands: Standing, *, match: str
    ) -> str | None:
        body = stands.to_bytes(self._unix())
        return await self._bucket.put(keys.state_key(name), body, match=match)

    async def _record(self, hint: Hint) -> Record | None:
        """The record as it is, without its content; None: the mail has ended."""
        found = await self._bucket.line(keys.mail_key(hint.name))
        return None if found is None else records.read(found.body, whole=False)

    # After it.

    async def _won(
        self, looked: Looked, stands: Standing, etag: str, began: float
    ) -> Hold | None:
        hint = looked.hint
        key = keys.mail_key(hint.name)
        found = await self._bucket.get(key, size=hint.size)
        if found is None:
            await self._bucket.delete(keys.state_key(hint.name))
            self._bell.forget(looked.receipt)
            return None
        try:
            record = records.read(found.body)
        except Later:
            await self._give_back(hint, stands, etag)
            raise
        except Unreadable as error:
            await self._set_aside(looked, stands, etag, str(error))
            return None
        job, whole = await self.with_content(record)
        expires_at = stands.expires_at or job.expires_at
        job = job._replace(state=stands.state, expires_at=expires_at)
        hold = Hold(
            hint.name,
            job,
            stands,
            record.size,
            record.calls,
            etag,
            hand(),
            began + stands.lease,
            looked.receipt,
        )
        if self._lease().outlasts(record.size):
            self._bell.hide(looked.receipt, stands.lease + SOON)
        if not whole:
            log.line(logging.ERROR, "content missing", id=job.id, reply=str(NO_CONTENT))
            return _at_end(hold, NO_CONTENT)
        if expires_at <= self._unix():
            return _at_end(hold, hint.last)
        if job.mail.choice.supersedes and (newer := await self.newer(job)):
            await self._overtaken(hold, newer)
            return None
        return hold

    async def with_content(self, record: Record) -> tuple[Job, bool]:
        """The job with its content, and whether that is whole. Raises Unwritable."""
        job = record.job
        if not record.shared:
            return job, record.whole
        key = keys.content_key(job.id)
        found = await self._bucket.get(key, size=record.size)
        if found is None or len(found.body) != record.size:
            return job, False
        return job._replace(mail=replace(job.mail, content=found.body)), True

    async def newer(self, job: Job) -> MailId | None:
        """The mail that takes this one's place, if there is one. Raises Unwritable."""
        found = await self._bucket.get(keys.newest_key(job.mail))
        if found is None:
            return None
        newest = records.newest(found.body)
        if newest is None:
            return None
        at, mail_id = newest
        later = at > job.accepted_at and mail_id != job.id
        return MailId(mail_id) if later else None

    async def _overtaken(self, hold: Hold, by: MailId) -> None:
        job = hold.job
        await self.delete(hold)
        state = hold.stands.state
        over = Superseded(state.attempts - 1, self._unix(), state.maybe_sent)
        to = job.mail.envelope.recipients
        usage = job.mail.choice.usage
        self._on_overtaken(Replaced(job.id, job.number, usage, to, over), by)

    async def delete(self, hold: Hold) -> None:
        """Delete all of a job that has ended, and its hint. Raises Unwritable."""
        await delete(self._bucket, hold.name, shared=hold.shared)
        if hold.receipt:
            self._bell.forget(hold.receipt)

    async def _give_back(self, hint: Hint, stands: Standing, etag: str) -> None:
        """Undo a claim on what this release cannot send."""
        key = keys.state_key(hint.name)
        if not hint.etag:
            await self._bucket.delete(key)
            return
        waits = Queued(hint.attempts, hint.due, hint.last, hint.maybe)
        back = replace(stands, state=waits, by=hand())
        await self._bucket.put(key, back.to_bytes(self._unix()), match=etag)

    async def _set_aside(
        self, looked: Looked, stands: Standing, etag: str, column: str
    ) -> None:
        why, state = unreadable(column), stands.state
        name = looked.hint.name
        failed = Failed(state.attempts - 1, self._unix(), why, state.maybe_sent)
        aside = replace(stands, state=failed, by=hand())
        key = keys.state_key(name)
        await self._bucket.put(key, aside.to_bytes(self._unix()), match=etag)
        self._bell.forget(looked.receipt)
        log.line(logging.ERROR, "set aside", id=name, reply=str(why))


async def delete(bucket: Bucket, name: str, *, shared: bool) -> None:
    """Delete all of a job. Raises Unwritable.

    The record first: what is left of a state finds nothing to send. A content goes
    with the last of the calls that share it.
    """
    await bucket.delete(keys.mail_key(name))
    await bucket.delete(keys.state_key(name))
    if shared:
        mail_id = name.partition(".")[0]
        if not await bucket.has_any(keys.mail_key(f"{mail_id}.")):
            await bucket.delete(keys.content_key(mail_id))


def _begun(hint: Hint, found: Record) -> Hint:
    """The hint of an attempt whose end nobody saw."""
    state = found.standing.state
    return replace(
        hint,
        attempts=state.attempts,
        maybe=state.maybe_sent,
        last=None if isinstance(state, Failed) else state.last,
    )


def _at_end(hold: Hold, last: Reply | None) -> Hold:
    """A job that fails without an attempt: it waits, as far as anybody is told."""
    state = hold.stands.state
    waiting = Queued(state.attempts - 1, 0.0, last, state.maybe_sent)
    hold.job = hold.job._replace(state=waiting)
    hold.over = True
    return hold
