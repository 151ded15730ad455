"""Submissions with an idempotency key: each is taken once, however often it comes.

Who comes again hears what the first heard. A refusal, of now or for ever, is nothing
that anybody has to be held to: it frees the key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from relay import log
from relay.delivery.limits import LimitedDelivery
from relay.model.mail import Prepared
from relay.model.note import Key, Note
from relay.model.replies import KEY_OF_ANOTHER, NOT_KEPT
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe.events import Events, NotTaken
from relay.queue import Notes, Unwritable


class OnceDelivery:
    """Delivers what comes for the first time, and answers the rest.

    `in_hand` has the keys of what is under way, also with another delivery.
    """

    def __init__(
        self,
        delivery: LimitedDelivery,
        *,
        notes: Notes,
        events: Events,
        in_hand: dict[tuple[str, str], asyncio.Future[None]] | None = None,
    ) -> None:
        self._delivery = delivery
        self._notes = notes
        self._events = events
        # By scope and text; done when the submission that has the key has ended.
        self._in_hand = {} if in_hand is None else in_hand

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """What `Delivery.deliver` promises, once for each key."""
        key = prepared.key
        if key is None:
            return await self._delivery.deliver(
                submission, prepared, started=started, left=left
            )
        name = key.scope, key.text
        # What it comes to decides, for one that stands for another mail, too.
        while (first := self._in_hand.get(name)) is not None:
            await asyncio.wait([first])
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_hand[name] = ended
        try:
            try:
                before = await self._notes.recall(key)
            except Unwritable as error:
                log.line(
                    logging.ERROR, "key not known", id=submission.id, detail=str(error)
                )
                return self._refused(submission, NOT_KEPT, started)
            if before is None:
                return await self._first(submission, prepared, key, started, left)
            if before.key is None or before.key.fingerprint != key.fingerprint:
                return self._refused(submission, KEY_OF_ANOTHER, started)
            rule = prepared.mails[0].choice.rule
            return self._again(submission, before, rule, started)
        finally:
            del self._in_hand[name]
            ended.set_result(None)

    async def _first(
        self,
        submission: Submission,
        prepared: Prepared,
        key: Key,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        reply: Reply | None = None
        try:
            reply = await self._delivery.deliver(
                submission, prepared, started=started, left=left
            )
            return reply
        finally:
            if reply is None or reply.code // 100 != 2:
                await self._notes.free(key)

    def _refused(self, submission: Submission, reply: Reply, started: float) -> Reply:
        self._events.emit(NotTaken(submission, reply, time.monotonic() - started))
        return reply

    def _again(
        self, submission: Submission, before: Note, rule: str, started: float
    ) -> Reply:
        seconds = time.monotonic() - started
        self._events.emit(
            NotTaken(submission, before.reply, seconds, rule, "repeated", before)
        )
        return before.reply
