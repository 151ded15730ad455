"""Relays of one fleet: each takes mail, and any of them sends what waits."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import pytest

from tests.fake_ses import FakeSes, error
from tests.fleet.emulators import Emulator
from tests.fleet.faults import faults
from tests.fleet.patient import in_bucket
from tests.fleet.relays import NO_FILE, await_empty, sharing
from tests.server.relay_process import running_relay, until
from tests.server.test_queue_disk import name_of, names, submit

ANSWER_WITHIN = 10  # seconds, of `sharing`
STALLS = 40.0  # seconds that a busy machine may add
DOWN = error("TooManyRequestsException", 429, "Maximum sending rate exceeded")


async def test_mail_that_waits_is_in_the_bucket_and_leaves_it_when_ses_takes_it(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with FakeSes(error("InternalFailure", 500)) as ses:
        settings = sharing(ses, place)

        def work() -> tuple[int, bytes]:
            with running_relay(*NO_FILE, settings=settings) as relay:
                reply = submit(relay.port(), "k1")
                until(lambda: len(ses.sent) == 2)
                await_empty(place)
                assert relay.stop() == 0
            return reply

        code, text = await asyncio.to_thread(work)
        assert names(ses) == ["k1", "k1"]
    assert code == 250
    assert text.startswith(b"2.0.0 queued as ")


async def test_what_one_relay_keeps_another_sends(emulator: Emulator) -> None:
    place = emulator.place()
    async with FakeSes(DOWN) as ses:
        slow = sharing(ses, place, RELAY_QUEUE__RETRY_DELAYS="[2]")

        def work() -> None:
            with running_relay(*NO_FILE, settings=slow) as one:
                assert submit(one.port(), "k1")[1].startswith(b"2.0.0 queued as ")
                (job,) = in_bucket(place)
                assert job.state.attempts == 1
                assert one.stop() == 0
            assert len(ses.sent) == 1
            with running_relay(*NO_FILE, settings=slow) as other:
                await_empty(place)
                assert other.stop() == 0

        await asyncio.to_thread(work)
        assert names(ses) == ["k1", "k1"]


async def test_mail_that_ses_takes_at_once_asks_neither_s3_nor_sqs(
    emulator: Emulator,
) -> None:
    # What a relay with nothing to do asks: for hints, how many there are, and whether
    # S3 answers.
    idle = {"SQS ReceiveMessage", "SQS GetQueueAttributes", "S3 GET state"}
    async with faults(emulator.endpoint) as proxy, FakeSes() as ses:

        def work() -> None:
            settings = sharing(ses, emulator.place(proxy.url))
            with running_relay(*NO_FILE, settings=settings) as relay:
                _await_ready(relay.port("health"))
                proxy.calls.clear()
                for number in range(50):
                    code, text = submit(relay.port(), f"k{number}")
                    assert (code, text[:9]) == (250, b"2.0.0 Ok ")
                assert {call.name for call in proxy.calls} <= idle
                assert relay.stop() == 0

        await asyncio.to_thread(work)
        assert len(ses.sent) == 50


def _await_ready(port: int) -> None:
    """Wait until the bucket was tried, also where it could not be at the start."""

    def is_ready() -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
        except urllib.error.HTTPError:
            return False
        return True

    until(is_ready)


async def test_who_waits_for_a_queue_that_hangs_is_refused_and_holds_up_nobody(
    emulator: Emulator,
) -> None:
    waiting = 20
    replies: list[tuple[int, bytes]] = []
    seconds: list[float] = []
    async with faults(emulator.endpoint) as proxy, FakeSes() as ses:
        ses.answers.extend([error("InternalFailure", 500)] * waiting)
        settings = sharing(ses, emulator.place(proxy.url))

        def work() -> bytes:
            with running_relay(*NO_FILE, settings=settings) as relay:
                _await_ready(relay.port("health"))
                proxy.fate = lambda name: "hang"

                def send(name: str) -> None:
                    began = time.monotonic()
                    replies.append(submit(relay.port(), name))
                    seconds.append(time.monotonic() - began)

                clients = [
                    threading.Thread(target=send, args=[f"k{n}"])
                    for n in range(waiting)
                ]
                for client in clients:
                    client.start()
                # Each was attempted, though none of those before it can be kept.
                until(lambda: len(ses.sent) == waiting)
                until(lambda: len(proxy.named("S3 PUT mail")) > 0)
                taken = submit(relay.port(), "taken")[1]
                for client in clients:
                    client.join()
                assert not proxy.over.is_set()  # S3 has answered nobody
                assert relay.stop() == 0
            return taken

        taken = await asyncio.to_thread(work)
        assert taken.startswith(b"2.0.0 Ok ")
        assert names(ses) == sorted(["taken", *(f"k{n}" for n in range(waiting))])
    refused = (451, b"4.3.0 The mail cannot be kept now, try again later")
    assert replies == [refused] * waiting
    assert max(seconds) < ANSWER_WITHIN + 4 + STALLS


async def test_while_the_store_answers_now_and_then_each_250_has_its_object(
    emulator: Emulator,
) -> None:
    waiting = 20
    replies: dict[str, tuple[int, bytes]] = {}
    random = Random(5)
    async with faults(emulator.endpoint) as proxy, FakeSes() as ses:
        ses.answers.extend([error("InternalFailure", 500)] * waiting)
        place = emulator.place(proxy.url)
        settings = sharing(ses, place, RELAY_QUEUE__UNSEEN_DELAYS="[600]")
        settings["RELAY_QUEUE__RETRY_DELAYS"] = "[600]"
        beside = replace(place, endpoint_url=emulator.endpoint)

        def fate(name: str) -> str:
            hangs = name in ("S3 PUT mail", "SQS SendMessageBatch")
            return "hang" if hangs and random.random() < 0.6 else "pass"

        def kept() -> set[str]:
            return {name_of(one.mail.content) for one in in_bucket(beside)}

        def work() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                _await_ready(relay.port("health"))
                proxy.fate = fate

                def send(name: str) -> None:
                    replies[name] = submit(relay.port(), name)

                with ThreadPoolExecutor(waiting) as clients:
                    list(clients.map(send, [f"k{n}" for n in range(waiting)]))
                taken = {name for name, (code, _) in replies.items() if code == 250}
                assert taken <= kept()
                assert {code for code, _ in replies.values()} == {250, 451}
                proxy.fate = lambda name: "pass"
                # What was refused is deleted: its client sends it again.
                until(lambda: kept() == taken)
                assert relay.stop() == 0

        await asyncio.to_thread(work)
        assert names(ses) == sorted(replies)


async def test_a_queue_that_cannot_be_reached_stops_neither_the_start_nor_mail(
    emulator: Emulator,
) -> None:
    place = emulator.place("http://127.0.0.1:9")
    async with FakeSes() as ses:

        def work() -> None:
            settings = sharing(ses, place)
            with running_relay(*NO_FILE, settings=settings) as relay:
                relay.event("queue not reached")
                assert submit(relay.port(), "k1")[1].startswith(b"2.0.0 Ok ")
                ses.answers.append(DOWN)
                code, text = submit(relay.port(), "k2")
                assert (code, text[:6]) == (451, b"4.3.0 ")
                port = relay.port("health")
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
                assert refused.value.code == 503
                said = refused.value.read()
                assert said == b"not ready: the queue cannot be reached\n"
                assert relay.stop() == 0

        await asyncio.to_thread(work)
        assert len(ses.sent) == 2
