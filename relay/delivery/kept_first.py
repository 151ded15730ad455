"""Mail of several calls where keeping it may fail: kept before its first attempt.

A queue that others share is asked over a network. If it failed after SES took one of
the calls, the client would hear 451 and send all of it again; so it is asked first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from relay.delivery import owed
from relay.delivery.admission import Slot
from relay.delivery.attempts import Attempts
from relay.delivery.waiting_client import Call, WaitingClient
from relay.delivery.ways import Way
from relay.model.job import Job, Sent, Superseded
from relay.model.outcome import Accepted
from relay.model.reply import Reply
from relay.model.submission import MailId
from relay.queue import Claim, Queue

FORGETS_WITHIN = 2.0  # seconds that a client waits for what it need not know

# Attempts once, and records the end by the claim that the call has then.
First = Callable[[Call, Way, Slot, WaitingClient], Coroutine[None, None, None]]


class KeptFirst:
    """Attempts what is in the queue already, while its client waits."""

    def __init__(self, *, attempts: Attempts, queue: Queue, first: First) -> None:
        self._attempts = attempts
        self._queue = queue
        self._first = first

    async def deliver(
        self,
        mail_id: MailId,
        client: WaitingClient,
        entered: Sequence[tuple[Way, Slot]],
        claims: Sequence[Claim],
        *,
        until: float,
        accepted_as: str,
        note: Callable[[Reply], Awaitable[None]],
    ) -> Reply:
        """The reply, at the latest at `until`; what is under way then goes on."""
        loop = asyncio.get_running_loop()
        kept: list[asyncio.Future[Claim | None]] = []
        for call, (way, slot) in zip(client.calls, entered, strict=True):
            call.kept = loop.create_future()
            kept.append(call.kept)
            self._attempts.begin(self._first, call, way, slot, client)
        over = False
        try:
            await client.wait(until)
            outcomes = [call.outcome for call in client.calls]
            reply = owed.settled_by(
                outcomes, left=client.left(), accepted_as=accepted_as
            )
            over = reply is not None
            if reply is None:
                reply = owed.when_kept(outcomes, mail_id)
            if reply.code // 100 == 2:
                await note(reply)
        finally:
            for one, claim in zip(kept, claims, strict=True):
                one.set_result(None if over else claim)
        if over:
            await self._forget(client.calls, claims)
        return reply

    async def _forget(self, calls: Sequence[Call], claims: Sequence[Claim]) -> None:
        """Take out of the queue what ended with the reply."""
        left = len(claims)
        done = asyncio.Event()

        async def forget(claim: Claim, state: Sent | Superseded) -> None:
            nonlocal left
            await self._queue.settle(claim, state)
            left -= 1
            if not left:
                done.set()

        for call, claim in zip(calls, claims, strict=True):
            self._attempts.begin(forget, claim, self._end_of(call))
        try:
            async with asyncio.timeout(FORGETS_WITHIN):
                await done.wait()
        except TimeoutError:
            pass  # it goes on beside

    def _end_of(self, call: Call) -> Sent | Superseded:
        """A state in which nobody needs the mail any more."""
        job: Job = call.job
        now = self._queue.now()
        match call.outcome:
            case Accepted(message_id):
                return Sent(job.state.attempts, now, message_id)
        return Superseded(job.state.attempts, now)
