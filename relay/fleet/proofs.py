"""SES' word that it took a call, followed up in the bucket: what waits is claimed.

As for an attempt, so that nobody makes one while the mail is being deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.bucket import Bucket
from relay.fleet.claims import TRIES, Claims
from relay.fleet.ends import written_by
from relay.fleet.entry import Entry, entry
from relay.fleet.lease import Hold, Lease, hand
from relay.fleet.names import names
from relay.fleet.record import Later, Standing
from relay.model.job import Failed, Queued, Sending, Sent, confirm
from relay.model.proof import Proof
from relay.model.submission import MailId
from relay.queue import NotYet, Unwritable
from relay.queue.clock import steady
from relay.queue.rows import Unreadable


class Proofs:
    """Claims calls that SES proves to have taken; `unix` is what the time is."""

    def __init__(
        self,
        bucket: Bucket,
        claims: Claims,
        *,
        lease: Callable[[], Lease],
        unix: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._claims = claims
        self._lease = lease
        self._unix = unix

    async def claim(self, proof: Proof) -> Hold | None:
        """Claim the call, whose job is to be settled as it stands in the hold: `Sent`.

        None: none such waits. Raises NotYet and Unwritable.
        """
        for _ in range(TRIES):
            one = await self._call(proof)
            if one is None:
                return None
            waits = _waiting(one)
            if waits is None:
                return None
            claimed = await self._claimed(one, waits)
            if claimed is not None:
                sent = confirm(waits, proof.message_id, now=self._unix())
                return await self._held(one, claimed, sent)
        raise NotYet  # others move it

    async def _call(self, proof: Proof) -> Entry | None:
        """The call that it is about; None: it is not here, or nobody can tell."""
        found = []
        for name in await self._names(proof.mail_id):
            try:
                one = await entry(self._bucket, name)
            except (Later, Unreadable):
                return None  # perhaps the one that is meant
            if one is None or one.job.id != proof.mail_id:
                continue
            if proof.is_of(one.job.mail.envelope.recipients):
                found.append(one)
        return found[0] if len(found) == 1 else None

    async def _names(self, mail_id: MailId) -> list[str]:
        """What the mail's calls are called that are here.

        By two reads, whose price is a twelfth of a list's: nearly always the mail was
        never here, and each event of each mail asks.
        """
        if "." in mail_id:  # a report
            return [mail_id]
        first = f"{mail_id}.0"
        alone, shared = await asyncio.gather(
            self._bucket.get(keys.mail_key(first), first=1),
            self._bucket.get(keys.content_key(mail_id), first=1),
        )
        if shared is None:
            return [first] if alone is not None else []
        found = names(self._bucket, ids=[mail_id])
        return [listed.key.rpartition("/")[2] async for listed in found]

    async def _claimed(self, one: Entry, waits: Queued) -> tuple[Standing, str] | None:
        """Keep others from an attempt on it; None: one of them was faster."""
        # Who was cut off while it failed may have left reports, which go with it.
        taken_over = isinstance(one.stands.state, Sending)
        stands = replace(
            one.stands,
            state=Sending(waits.attempts, maybe_sent=True, last=waits.last),
            takeovers=one.stands.takeovers + taken_over,
            lease=self._lease().of(one.record.size),
            by=hand(),
        )
        key = keys.state_key(one.name)
        body = stands.to_bytes(self._unix())
        etag = await self._bucket.put(key, body, match=one.etag)
        if etag is None:
            found = await self._bucket.get(key)
            if found is None or written_by(found) != stands.by:
                return None
            etag = found.etag
        return stands, etag

    async def _held(
        self, one: Entry, claimed: tuple[Standing, str], sent: Sent
    ) -> Hold | None:
        (stands, etag), record, job = claimed, one.record, one.job
        key = keys.mail_key(one.name)
        try:
            # After the claim: before it, its sender may just be about to delete it.
            found = await self._bucket.get(key, size=record.size)
            if found is None:
                await self._bucket.delete(keys.state_key(one.name))
                return None
            job, _ = await self._claims.with_content(records.read(found.body))
        except Unwritable:
            pass  # it is told of without its content, and ends
        job = job._replace(state=sent)
        until = steady() + stands.lease
        return Hold(
            one.name,
            job,
            stands,
            record.size,
            record.calls,
            etag,
            hand(),
            until,
        )


def _waiting(one: Entry) -> Queued | None:
    """The call as it waits; None: it is no mail that waits and may have been sent.

    Raises NotYet.
    """
    match one.stands.state:
        case Queued(maybe_sent=True) as waits:
            return waits
        case Sending(attempts, _, last):
            if one.in_hand:
                raise NotYet
            # Nobody saw its end; who finds its hint would take it over.
            return Queued(attempts, 0.0, last, maybe_sent=True)
        case Queued() | Failed():
            return None
