"""Writes mail into the queue, with the older mail whose place it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from relay import log
from relay.delivery.attempts import Attempts
from relay.delivery.waiting_client import Call
from relay.model.job import Failed, Job, Queued, Replaced, Sent, Superseded
from relay.model.note import Note
from relay.model.outcome import Outcome
from relay.model.submission import MailId
from relay.observe.events import Events, Overtaken
from relay.queue import Claim, Queue, Unwritable

# A call that ended and is kept: where it stands now, the reports about it.
Ended = tuple[Call, Queued | Failed | Superseded, Sequence[Job], Outcome]


class Keeping:
    """Keeps what SES has not taken, and tells of what that supersedes."""

    def __init__(self, *, attempts: Attempts, events: Events, queue: Queue) -> None:
        self._attempts = attempts
        self._events = events
        self._queue = queue

    async def keep(self, calls: Sequence[Call], note: Note | None) -> Sequence[Ended]:
        """Write what SES has not taken; what is under way ends in the queue, too.

        Gives those of them that have ended. Raises Unwritable, and nothing is kept
        then.
        """
        loop = asyncio.get_running_loop()
        jobs: list[Job] = []
        under_way: list[asyncio.Future[Claim | None]] = []
        ended: list[Ended] = []
        for call in calls:
            outcome = call.outcome
            if outcome is None:
                call.kept = loop.create_future()
                under_way.append(call.kept)
                jobs.append(call.job)
                continue
            state, about = self._attempts.end_of(call, outcome)
            if not isinstance(state, Sent):
                ended.append((call, state, about, outcome))
                jobs.append(call.job._replace(state=state))
        claims: Sequence[Claim] = ()
        try:
            claims = await self.put(
                [*jobs, *(report for _, _, some, _ in ended for report in some)], note
            )
        finally:
            # Without a claim its end is the waiting client's alone.
            for number, kept in enumerate(under_way):
                if not kept.done():
                    kept.set_result(claims[number] if claims else None)
        return ended

    async def put(self, jobs: Sequence[Job], note: Note | None) -> Sequence[Claim]:
        """Write these and the note, or nothing. Raises Unwritable.

        Gives claims of those that are being sent.
        """
        claims, replaced = await self._queue.put(jobs, note)
        self._overtake(jobs[0].id, replaced)
        self._attempts.void([job for job in jobs if job.mail.choice.supersedes])
        return claims

    async def supersede(self, newer: Sequence[Job]) -> None:
        """End the waiting mail that these supersede, which SES took."""
        self._attempts.void(newer)
        try:
            self._overtake(newer[0].id, await self._queue.supersede(newer))
        except Unwritable as error:
            # It may still be sent, which is worse than late, and better than lost.
            log.line(
                logging.ERROR,
                "older mail not superseded",
                id=newer[0].id,
                detail=str(error),
            )

    def _overtake(self, by: MailId, replaced: Sequence[Replaced]) -> None:
        for older in replaced:
            self._events.emit(Overtaken(older, by=by))
