"""Accept a submission: prepare its mails, and hand them to who delivers.

No I/O library is imported here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from relay.delivery import Delivery
from relay.intake.large_mail import LargeMailLimit
from relay.intake.prepare import Preparation
from relay.model.replies import NO_ROOM
from relay.model.reply import Refused, Reply
from relay.model.submission import Submission
from relay.observe.events import Events, NotTaken
from relay.system.threads import Threads

# The larger a mail, the longer preparing it takes: more than this goes to a thread,
# so that a large mail does not hold up all the others.
IN_A_THREAD_FROM = 1_000_000


class Intake:
    """What stands between the SMTP side and the delivery."""

    def __init__(
        self,
        *,
        intake: Preparation,
        delivery: Delivery,
        events: Events,
        answer_within: float,
        room: LargeMailLimit,
        threads: Threads,
    ) -> None:
        self._preparation = intake
        self._delivery = delivery
        self._events = events
        self._answer_within = answer_within
        self._large_mail = room
        self._threads = threads

    async def accept(
        self, submission: Submission, left: Callable[[], bool] = lambda: False
    ) -> Reply:
        """Take what `submission` asks for, and tell what its client is to hear.

        `left` tells whether the client closed its side meanwhile.
        """
        started = time.monotonic()
        try:
            if len(submission.content) > IN_A_THREAD_FROM:
                return await self._accept_large(submission, left, started)
            prepared = self._preparation.prepare(submission)
        except Refused as refused:
            return self._refused(submission, refused.reply, started)
        return await self._delivery.deliver(
            submission, prepared, started=started, left=left
        )

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
                return self._refused(submission, NO_ROOM, started)
            prepared = await self._threads.run(self._preparation.prepare, submission)
            return await self._delivery.deliver(
                submission, prepared, started=started, left=left
            )

    def _refused(self, submission: Submission, reply: Reply, started: float) -> Reply:
        self._events.emit(NotTaken(submission, reply, time.monotonic() - started))
        return reply
