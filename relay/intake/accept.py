"""Accept a submission: prepare its mails, and hand them to who delivers.

No I/O library is imported here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from relay import log
from relay.delivery import Delivery
from relay.delivery.once import OnceDelivery
from relay.intake.effort import LARGE
from relay.intake.large_mail import LargeMailLimit
from relay.intake.prepare import Preparation
from relay.model.mail import Prepared
from relay.model.replies import NO_ROOM, NOT_PREPARED
from relay.model.reply import Refused, Reply
from relay.model.submission import Submission
from relay.observe.events import Events, NotTaken
from relay.system.threads import Threads
from relay.templates.limits import TakesLong

if TYPE_CHECKING:  # few relays have it
    from relay.delivery.suppression import Suppression

# What is no fault of the mail, and passes: a module that is imported late, no memory.
_PASSING = (MemoryError, OSError, ImportError)


class Intake:
    """What stands between the SMTP side and the delivery.

    Mail that depends on what was taken before goes by way of `recalling`.
    """

    def __init__(
        self,
        *,
        preparation: Preparation,
        delivery: Delivery,
        recalling: OnceDelivery,
        events: Events,
        answer_within: float,
        large_mail: LargeMailLimit,
        threads: Threads,
        suppression: Suppression | None = None,
    ) -> None:
        self._preparation = preparation
        self._delivery = delivery
        self._recalling = recalling
        self._events = events
        self._answer_within = answer_within
        self._large_mail = large_mail
        self._threads = threads
        self._suppression = suppression

    async def accept(
        self, submission: Submission, left: Callable[[], bool] = lambda: False
    ) -> Reply:
        """Take what `submission` asks for, and tell what its client is to hear.

        `left` tells whether the client closed its side meanwhile.
        """
        started = time.monotonic()
        try:
            if not self._preparation.takes_long(submission):
                try:
                    prepared = self._prepared(submission)
                except TakesLong:  # its template alone knew
                    prepared = await self._threads.run(self._prepared, submission)
            elif len(submission.content) > LARGE:
                return await self._accept_large(submission, left, started)
            else:
                prepared = await self._threads.run(self._prepared, submission)
        except Refused as refused:
            return self._refused(submission, refused, started)
        return await self._deliver(submission, prepared, left, started)

    async def forward(
        self, submission: Submission, made: Callable[[], Prepared]
    ) -> Reply:
        """Deliver a mail that is `made` already, as if it had just come."""
        started = time.monotonic()
        try:
            prepared = await self._threads.run(made)
        except Refused as refused:
            return self._refused(submission, refused, started)
        return await self._deliver(submission, prepared, lambda: False, started)

    async def _accept_large(
        self, submission: Submission, left: Callable[[], bool], started: float
    ) -> Reply:
        async with AsyncExitStack() as stack:
            deadline = asyncio.get_running_loop().time() + self._answer_within
            try:
                await stack.enter_async_context(
                    self._large_mail.entered(len(submission.content), before=deadline)
                )
            except TimeoutError:
                return self._refused(submission, Refused(NO_ROOM), started)
            prepared = await self._threads.run(self._prepared, submission)
            return await self._deliver(submission, prepared, left, started)

    def _deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        left: Callable[[], bool],
        started: float,
    ) -> Coroutine[Any, Any, Reply]:
        # No coroutine of its own, which each mail would pay for.
        if self._suppression is not None:
            return self._deliver_to_others(
                self._suppression, submission, prepared, left, started
            )
        way = self._delivery if prepared.is_plain else self._recalling
        return way.deliver(submission, prepared, started=started, left=left)

    async def _deliver_to_others(
        self,
        suppression: Suppression,
        submission: Submission,
        prepared: Prepared,
        left: Callable[[], bool],
        started: float,
    ) -> Reply:
        """Deliver to those recipients that are not suppressed."""
        try:
            prepared = await suppression.parted(prepared)
        except Refused as refused:
            refused.rule = prepared.mails[0].choice.rule
            refused.slips = prepared.slips
            return self._refused(submission, refused, started)
        way = self._delivery if prepared.is_plain else self._recalling
        return await way.deliver(submission, prepared, started=started, left=left)

    def _prepared(self, submission: Submission) -> Prepared:
        """The mails. Whatever is in the mail, it raises Refused and nothing else,
        but TakesLong on the event loop.

        What the relay breaks on would break it each time: no client may hear of it
        as temporary, and none lose a mail that can go as it is.
        """
        try:
            return self._preparation.prepare(submission)
        except (Refused, TakesLong, *_PASSING):
            raise
        except Exception as error:  # noqa: BLE001 - any bug, by what strangers send
            log.broken("preparing broken", error, id=submission.id)
        try:
            return self._preparation.prepare(submission, plainly=True)
        except (Refused, TakesLong, *_PASSING):
            raise
        except Exception as error:
            log.broken("preparing broken", error, id=submission.id)
            raise Refused(NOT_PREPARED) from error

    def _refused(
        self, submission: Submission, refused: Refused, started: float
    ) -> Reply:
        seconds = time.monotonic() - started
        reply = refused.reply
        self._events.emit(
            NotTaken(submission, reply, seconds, refused.rule, slips=refused.slips)
        )
        return reply
