"""With a queue: what the stop does to mail that is just coming in, or being claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.delivery.admission import Admission
from relay.delivery.dsn import Reporter
from relay.delivery.pace import Pace
from relay.delivery.queued import QueuedDelivery
from relay.delivery.worker import Worker
from relay.model.job import Job, Queued, Replaced, RetryPolicy
from relay.model.mail import Mail, Prepared, SendOptions
from relay.model.outcome import Accepted, Outcome, When
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import Events
from relay.queue import Claim
from tests.memory_queue import MemoryQueue

CONTENT = b"From: a@b.example\r\n\r\nx\r\n"
MAIL = Mail(Envelope("a@b.example", ("c@d.example",)), CONTENT)


class SlowQueue(MemoryQueue):
    """A queue whose disk takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.written = asyncio.Event()

    async def put(self, jobs: Sequence[Job]) -> tuple[Sequence[Claim], list[Replaced]]:
        self.asked.set()
        await self.written.wait()
        return await super().put(jobs)

    async def claim(
        self, limit: int, *, size: int, hurry: float = 0.0
    ) -> Sequence[Claim]:
        self.asked.set()
        claims = await super().claim(limit, size=size, hurry=hurry)
        await self.written.wait()
        return claims


class Counting:
    """A transport that takes all, and counts it."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        self.sent += 1
        return Accepted("1")


def made(queue: MemoryQueue, transport: Counting) -> tuple[QueuedDelivery, Admission]:
    admission = Admission(
        pace=Pace(),
        concurrency=5,
        memory=10**6,
        silent_after=3,
        looks=[30],
        now=queue.now,
    )
    delays = {when: [5.0] for when in When}
    delivery = QueuedDelivery(
        transport=transport,
        events=Events([]),
        queue=queue,
        gate=admission,
        policy=RetryPolicy(delays, give_up_after=1000),
        reporter=Reporter("", "", "", "here", 1000, SendOptions()),
        answer_within=3,
    )
    return delivery, admission


async def test_no_attempt_begins_on_mail_that_was_being_kept_at_the_signal() -> None:
    queue, transport = SlowQueue(), Counting()
    delivery, admission = made(queue, transport)
    submission = Submission(MailId("k3"), MAIL.envelope, CONTENT)
    reply = asyncio.create_task(
        delivery.deliver(submission, Prepared((MAIL,)), started=0, left=lambda: False)
    )
    await queue.asked.wait()
    delivery.stop_within(25)
    queue.written.set()
    assert str(await reply) == "250 2.0.0 queued as k3; shutting down"
    assert transport.sent == 0
    assert not admission.busy
    (claim,) = await queue.claim(9, size=10**6)
    assert claim.job.state.attempts == 1  # this one: the first came to nothing


async def test_no_attempt_begins_on_mail_that_was_being_claimed_at_the_signal() -> None:
    queue, transport = SlowQueue(), Counting()
    queue.written.set()
    now = queue.now()
    await queue.put([Job(MailId("k3"), 0, MAIL, now, now + 1000, Queued(0, now))])
    queue.asked.clear()
    queue.written.clear()
    delivery, admission = made(queue, transport)
    stopping = asyncio.Event()
    working = asyncio.create_task(Worker(queue, admission, delivery).run(stopping))
    await queue.asked.wait()
    delivery.stop_within(25)
    stopping.set()
    queue.written.set()
    await working
    assert transport.sent == 0
    (claim,) = await queue.claim(9, size=10**6)
    assert claim.job.state.attempts == 1
