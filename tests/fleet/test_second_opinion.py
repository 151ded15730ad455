"""The same way of a mail by another emulator, which is strict about SQS' limits."""

from __future__ import annotations

from relay.model.job import Queued, Sending, Sent
from relay.model.reply import Reply
from tests.fleet.emulators import moto
from tests.fleet.jobs import MUCH, job
from tests.fleet.patient import objects, patient_queue

DOWN = Reply(451, "4.1", "SES cannot be reached")


async def test_moto_knows_the_conditions_and_takes_what_is_asked() -> None:
    with moto() as emulator:
        place = emulator.place()
        async with patient_queue(place) as queue:
            far = Queued(0, queue.now() + 5000)  # longer than SQS delays a message
            await queue.put([job(queue, "k1"), job(queue, "k2", state=far)])
            (claim,) = await queue.claim(9, size=MUCH)
            assert claim.job.state == Sending(1)
            waits = Queued(1, queue.now(), DOWN)
            assert await queue.settle(claim, waits) == waits
            (again,) = await queue.claim(9, size=MUCH)
            assert again.job.state == Sending(2, last=DOWN)
            await queue.settle(again, Sent(2, queue.now(), "0100-1"))
            await queue.quiet()
            assert [one.rpartition("/")[2] for one in objects(place)] == ["k2.0"]
