"""Mail that is worked on beside whoever brought it.

A request by HTTP ends with its client; a mail that is on its way to the disk or to SES
must still end, and be recorded. A session of SMTP needs none of this: it outlives its
client by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from relay import log
from relay.model.replies import INTERNAL
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import Answered, Event, NotTaken

MOST = 200  # mails at one time; each may have a megabyte of variables

STOPPING = "The relay is stopping"
TOO_MANY = "Too many mails are in hand, try again later"

Submit = Callable[[Submission], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class End:
    """What a submission came to; None where nothing told of it."""

    reply: Reply
    told: Answered | NotTaken | None


class InHand:
    """Owns the work on submissions until it has ended; an observer of events, too."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._work: dict[MailId, asyncio.Task[End]] = {}
        self._told: dict[MailId, Answered | NotTaken] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._work)

    def __call__(self, event: Event) -> None:
        """Keep what a submission in hand came to."""
        if isinstance(event, Answered | NotTaken) and event.id in self._work:
            self._told[event.id] = event

    @property
    def obstacle(self) -> str:
        """Why nothing more is taken, "" for no reason."""
        if self._stopping:
            return STOPPING
        return TOO_MANY if len(self._work) >= self._most else ""

    async def take(
        self, submission: Submission, accept: Submit, *, before: float | None = None
    ) -> End | None:
        """Have `submission` accepted: what it came to; None: that takes longer.

        `before` is a time of the running loop's clock. Neither it nor a cancellation
        ends the work. Asked for only where there is no `obstacle`.
        """
        task = asyncio.create_task(self._accepted(submission, accept))
        self._work[submission.id] = task
        left = None if before is None else before - asyncio.get_running_loop().time()
        await asyncio.wait([task], timeout=left)
        return task.result() if task.done() else None

    async def _accepted(self, submission: Submission, accept: Submit) -> End:
        try:
            reply = await accept(submission)
        except Exception as error:  # noqa: BLE001 - one mail takes no other down
            log.broken("mail broken", error, id=submission.id)
            reply = INTERNAL
        finally:
            del self._work[submission.id]
            told = self._told.pop(submission.id, None)
        return End(reply, told)

    async def drained(self) -> None:
        """Take nothing more, and wait for the end of all; cut it off when cancelled."""
        self._stopping = True
        try:
            while self._work:
                await asyncio.wait(self._work.values())
        finally:
            rest = tuple(self._work.values())
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
