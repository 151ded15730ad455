"""A template's limit per recipient, before anything is attempted.

Mail counts from its 250 on. While one is under way nobody knows whether it will, so
whoever depends on that waits for its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from relay.delivery import Delivery
from relay.model.mail import Prepared
from relay.model.note import Limit
from relay.model.replies import dropped, too_many
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import Events, NotTaken
from relay.queue import Notes

# Mails under way, each with what is done when it has ended.
UnderWay = dict[MailId, asyncio.Future[None]]


class LimitedDelivery:
    """Delivers what is within its limit, and refuses or drops the rest.

    `under_way` is what counts meanwhile, also with another delivery.
    """

    def __init__(
        self,
        delivery: Delivery,
        *,
        notes: Notes,
        events: Events,
        under_way: dict[tuple[str, str], UnderWay] | None = None,
    ) -> None:
        self._delivery = delivery
        self._notes = notes
        self._events = events
        self._under_way = {} if under_way is None else under_way

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """What `Delivery.deliver` promises, and no mail above its limit."""
        limit = prepared.limit
        if limit is None:
            return await self._delivery.deliver(
                submission, prepared, started=started, left=left
            )
        people = [(limit.template, address) for address in limit.addresses]
        earlier = [dict(self._under_way.get(who, {})) for who in people]
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for who in people:
            self._under_way.setdefault(who, {})[submission.id] = ended
        try:
            if await self._is_over(limit, earlier):
                return await self._over(submission, prepared, limit, started)
            return await self._delivery.deliver(
                submission, prepared, started=started, left=left
            )
        finally:
            ended.set_result(None)
            for who in people:
                del self._under_way[who][submission.id]
                if not self._under_way[who]:
                    del self._under_way[who]

    async def _is_over(
        self, limit: Limit, earlier: Sequence[Mapping[MailId, asyncio.Future[None]]]
    ) -> bool:
        while True:
            # Before the notes are read: one that ends meanwhile is in one of the two.
            under_way = [
                {one: end for one, end in mails.items() if not end.done()}
                for mails in earlier
            ]
            passed = await self._notes.passed(limit)
            decide: set[asyncio.Future[None]] = set()
            for known, open_ in zip(passed, under_way, strict=True):
                if len(known) >= limit.number:
                    return True
                if len(known | open_.keys()) >= limit.number:
                    decide.update(open_.values())
            if not decide:
                return False
            await asyncio.wait(decide, return_when=asyncio.FIRST_COMPLETED)

    async def _over(
        self, submission: Submission, prepared: Prepared, limit: Limit, started: float
    ) -> Reply:
        seconds = time.monotonic() - started
        rule = prepared.mails[0].choice.rule
        if limit.drops:
            reply = dropped(submission.id)
            note = prepared._replace(limit=None).note(submission.id, reply)
            if note is not None:
                await self._notes.note(note)
            self._events.emit(NotTaken(submission, reply, seconds, rule, "dropped"))
        else:
            reply = too_many(prepared.mails[0].choice.usage)
            self._events.emit(NotTaken(submission, reply, seconds, rule))
        return reply
