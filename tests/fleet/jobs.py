"""Jobs for tests of the shared queue, and whoever sends them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from relay.fleet.sqs import SqsQueue
from relay.model.job import Job, Queued, Sent, State
from relay.model.mail import Choice, Mail, SendOptions
from relay.model.submission import Envelope, MailId, new_id
from relay.queue import Claim, Queue, Unwritable

CONTENT = b"From: a@b.example\r\n\r\nhello \x00\xff\r\n"
MUCH = 10_000_000
WAIT = 60.0  # seconds until something that has to come counts as missing


def job(
    queue: Queue,
    mail_id: str = "",
    *,
    number: int = 0,
    state: State | None = None,
    ends_in: float = 1000.0,
    to: Sequence[str] = ("c@d.example",),
    content: bytes = CONTENT,
    choice: Choice | None = None,
    account: str = "",
    age: float = 0.0,
) -> Job:
    """A job that waits and is due, unless `state` says otherwise."""
    now = queue.now()
    mail = Mail(
        Envelope("a@b.example", tuple(to)),
        content,
        SendOptions(account=account),
        choice or Choice(),
    )
    return Job(
        MailId(mail_id) if mail_id else new_id(),
        number,
        mail,
        now - age,
        now + ends_in,
        state or Queued(0, now - age),
    )


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(2 * WAIT):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)


class Sender:
    """Claims, counts as sent, and settles, until all is over."""

    def __init__(self, queue: SqsQueue) -> None:
        self.queue = queue
        self.sent: Counter[str] = Counter()
        self.marked: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            claims = await self._claims()
            if not claims:
                await asyncio.sleep(0.05)
            await asyncio.gather(*claims)

    async def _claims(self) -> list[asyncio.Task[None]]:
        try:
            claims = await self.queue.claim(20, size=MUCH)
        except Unwritable:
            return []
        return [asyncio.create_task(self._send(claim)) for claim in claims]

    async def _send(self, claim: Claim) -> None:
        found = claim.job
        self.sent[found.id] += 1
        if found.state.attempts > 1 and getattr(found.state, "maybe_sent", False):
            self.marked.add(found.id)
        end = Sent(found.state.attempts, self.queue.now(), "0100-1")
        await self.queue.settle(claim, end)
