"""S3 and SQS as they may be: slow, silent, failing, and saying things three times."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random

import pytest

from relay.fleet.aws import FleetSettings
from relay.fleet.open import open_queue
from relay.fleet.sqs import SqsQueue
from relay.model.job import Sending
from relay.queue import Unwritable
from tests.fleet.emulators import Emulator
from tests.fleet.faults import Faults, faults, sometimes
from tests.fleet.jobs import MUCH, WAIT, Sender, job, until
from tests.fleet.patient import objects, patient_queue

RELAYS = 3


def _left(emulator: Emulator, place: FleetSettings, folder: str = "") -> list[str]:
    """What is in the bucket, asked past the proxy, which is on this loop."""
    return objects(replace(place, endpoint_url=emulator.endpoint), folder)


async def _running(stack: AsyncExitStack, place: FleetSettings) -> list[SqsQueue]:
    """So many relays' queues, each at work until the stack ends."""
    found: list[SqsQueue] = []
    for _ in range(RELAYS):
        queue = await stack.enter_async_context(open_queue(place))
        stopping = asyncio.Event()
        running = asyncio.create_task(queue.run(stopping))

        async def stop(
            stopping: asyncio.Event = stopping, running: asyncio.Task[None] = running
        ) -> None:
            stopping.set()
            await running

        stack.push_async_callback(stop)
        found.append(queue)
    return found


async def _sent_by_all(
    emulator: Emulator, proxy: Faults, mails: int
) -> tuple[list[str], Counter[str], set[str]]:
    """Put mails by several relays and send them: accepted, sent, marked."""
    place = emulator.place(proxy.url)
    accepted: list[str] = []
    async with AsyncExitStack() as stack:
        queues = await _running(stack, place)
        senders = [Sender(queue) for queue in queues]
        work = [asyncio.create_task(sender.run()) for sender in senders]

        async def put(number: int) -> None:
            queue = queues[number % RELAYS]
            one = job(queue)
            try:
                await queue.put([one])
            except Unwritable:
                return
            accepted.append(one.id)

        for start in range(0, mails, 10):
            await asyncio.gather(*map(put, range(start, start + 10)))
        await until(lambda: set(accepted) <= {one for s in senders for one in s.sent})
        proxy.fate = lambda name: "pass"
        await until(lambda: not _left(emulator, place, "mail/"))
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    sent = sum((sender.sent for sender in senders), Counter[str]())
    return accepted, sent, {one for sender in senders for one in sender.marked}


async def test_each_hint_that_comes_three_times_sends_its_mail_once(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        proxy.thrice = True
        accepted, sent, _ = await _sent_by_all(emulator, proxy, 40)
    # On a slow machine one may be refused, and be sent before its record is deleted.
    assert set(accepted) <= set(sent)
    assert set(sent.values()) == {1}
    assert accepted


async def test_calls_that_fail_before_or_after_their_effect_lose_and_double_nothing(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        fates = ("503", "503 after", "cut", "cut after")
        place_first = sometimes(Random(7), 0.1, *fates)
        proxy.fate = lambda name: "pass" if len(proxy.calls) < 40 else place_first(name)
        accepted, sent, marked = await _sent_by_all(emulator, proxy, 40)
    assert set(accepted) <= set(sent)
    # What was sent twice was marked: the end of its first attempt could not be written.
    assert {one for one, times in sent.items() if times > 1} <= marked


async def test_a_claim_whose_answer_is_lost_is_known_by_its_hand(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        async with patient_queue(place) as queue:
            await queue.put([job(queue, "k1")])
            lost = iter(["cut after"])
            proxy.fate = lambda name: (
                next(lost, "pass") if name == "S3 PUT state" else "pass"
            )
            (claim,) = await queue.claim(9, size=MUCH)
            assert claim.job.state == Sending(1)


async def test_a_put_whose_hint_cannot_be_sent_leaves_nothing_behind(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        async with patient_queue(place) as queue:
            proxy.fate = lambda name: (
                "403" if name == "SQS SendMessageBatch" else "pass"
            )
            with pytest.raises(Unwritable, match="grant sqs:SendMessage"):
                await queue.put([job(queue, "k1")])
            await until(lambda: not _left(emulator, place))


@pytest.mark.parametrize("silent", ["S3 PUT mail", "SQS SendMessageBatch"])
async def test_a_store_that_does_not_answer_is_a_refusal(
    emulator: Emulator, silent: str
) -> None:
    async with (
        faults(emulator.endpoint) as proxy,
        patient_queue(emulator.place(proxy.url)) as queue,
    ):
        proxy.fate = lambda name: "hang" if name == silent else "pass"
        async with asyncio.timeout(WAIT):
            with pytest.raises(Unwritable, match="no answer in time"):
                await queue.put([job(queue, "k1")])
        proxy.fate = lambda name: "pass"
        proxy.over.set()
