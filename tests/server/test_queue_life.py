"""The queue of a real relay: stop under load, outage, and who waits how long."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.crash.clients import Client
from tests.crash.verdict import judge
from tests.crash.weather import FaultySes
from tests.fake_ses import Answer, FakeSes, error
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_life import Client as ByHand
from tests.server.test_queue_disk import names, spooled, states, submit

OK = b"2.0.0 Ok "
QUEUED = b"2.0.0 queued as "


@contextmanager
def sending(
    relay: RelayProcess, clients: int, pause: float = 0.03
) -> Iterator[list[Client]]:
    """Clients that send until the context ends, or the relay takes no more."""
    numbers = itertools.count(1)
    port = relay.port()
    running = [
        Client(
            numbers,
            lambda: port if relay.process.poll() is None else None,
            Random(number),
            pause,
        )
        for number in range(clients)
    ]
    for client in running:
        client.start()
    try:
        yield running
    finally:
        for client in running:
            client.stop()
            client.join()


# The stop.


async def test_sigterm_under_load_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path,
) -> None:
    template = json.dumps([{"usageType": "SignIn", "subject": "x", "content": "y"}])
    async with FaultySes(Random(3), {"none": 3, "slow": 3, "very slow": 0.3}) as ses:
        settings = spooled(
            ses,
            tmp_path,
            RELAY_QUEUE__ANSWER_WITHIN="0.5",
            RELAY_TEMPLATES=template,
            RELAY_SES__CONCURRENCY="8",
        )

        def work() -> list[Client]:
            with (
                running_relay("-c", os.devnull, settings=settings) as relay,
                sending(relay, clients=4) as clients,
            ):
                until(lambda: len(ses.calls) > 30)
                assert relay.stop() == 0  # 3, where `grace` was over
            with running_relay("-c", os.devnull, settings=settings) as relay:
                until(lambda: set(states(tmp_path)) == {"sent"})
                late = ByHand(relay.port())
                assert late.reply().startswith("220 ")  # it heeds signals by now
                late.close()
                assert relay.stop() == 0
            return clients

        clients = await asyncio.to_thread(work)
    verdict = judge([one for c in clients for one in c.tries], ses.calls, {})
    assert verdict.faults == []
    assert verdict.duplicates == {}
    assert verdict.figures["250 queued"] > 0


async def test_mail_that_comes_while_the_relay_stops_is_kept_and_sent_later(
    tmp_path: Path,
) -> None:
    async with FakeSes() as ses:
        settings = spooled(ses, tmp_path)

        def work() -> str:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                client = ByHand(relay.port())
                client.begin()
                relay.process.send_signal(signal.SIGTERM)
                relay.event("stopping")
                client.socket.sendall(b"From: a@b.example\r\n\r\nx\r\n.\r\n")
                reply = client.reply()
                client.close()
                assert relay.wait() == 0
            assert ses.sent == []
            assert states(tmp_path) == ["queued"]
            with running_relay("-c", os.devnull, settings=settings) as relay:
                until(lambda: states(tmp_path) == ["sent"])
            return reply

        reply = await asyncio.to_thread(work)
        assert len(ses.sent) == 1
    assert reply.startswith("250 2.0.0 queued as ")
    assert reply.endswith("; shutting down")


async def test_a_second_signal_cuts_off_what_is_sent_again_as_maybe_sent(
    tmp_path: Path,
) -> None:
    async with FakeSes(Answer(then="hang")) as ses:
        settings = spooled(ses, tmp_path, RELAY_QUEUE__ANSWER_WITHIN="0.2")

        def work() -> bytes:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                _, text = submit(relay.port(), "cut off")
                relay.process.send_signal(signal.SIGTERM)
                relay.event("stopping")
                assert relay.stop() == 3
            with running_relay("-c", os.devnull, settings=settings) as relay:
                relay.event("taken back", lambda entry: entry["mails"] == 1)
                sent = relay.event("sent")
                assert (sent["level"], sent["maybeSentBefore"]) == ("warning", True)
            return text

        text = await asyncio.to_thread(work)
        assert names(ses) == ["cut off", "cut off"]
    assert text.startswith(QUEUED)


# Who waits how long: a client that sends one mail after the other.


def timed(port: int, count: int) -> list[tuple[float, bytes]]:
    """Send mails one after the other: how long each took, and its reply's text."""
    found = []
    for number in range(count):
        began = time.monotonic()
        code, text = submit(port, f"m{number}")
        found.append((time.monotonic() - began, text if code == 250 else b""))
    return found


async def timed_on(
    ses: FakeSes, directory: Path, count: int = 4, **more: str
) -> list[tuple[float, bytes]]:
    settings = spooled(ses, directory, RELAY_QUEUE__RETRY_DELAYS="[60]", **more)

    def work() -> list[tuple[float, bytes]]:
        with running_relay("-c", os.devnull, settings=settings) as relay:
            found = timed(relay.port(), count)
            relay.process.kill()  # what hangs need not be waited for
            relay.wait()
        return found

    return await asyncio.to_thread(work)


async def test_on_a_silent_ses_the_first_mail_alone_waits(tmp_path: Path) -> None:
    async with FakeSes(*[Answer(then="hang")] * 9) as ses:
        found = await timed_on(ses, tmp_path, RELAY_QUEUE__ANSWER_WITHIN="5")
    (first, text), *later = found
    assert first > 4.9
    assert text.startswith(QUEUED)
    assert all(seconds < 5 and text.startswith(QUEUED) for seconds, text in later)


async def test_on_an_unreachable_ses_no_mail_waits(tmp_path: Path) -> None:
    async with FakeSes() as ses:
        pass  # nobody listens there any more
    found = await timed_on(ses, tmp_path, RELAY_QUEUE__ANSWER_WITHIN="10")
    assert all(seconds < 10 for seconds, _ in found)
    assert {text.partition(b"; ")[2] for _, text in found} == {b"SES cannot be reached"}


async def test_on_a_throttling_ses_a_mail_waits_no_longer_than_ses_takes_to_say_so(
    tmp_path: Path,
) -> None:
    throttled = error("TooManyRequestsException", 429, "Maximum sending rate exceeded")
    async with FakeSes(*[throttled] * 9) as ses:
        found = await timed_on(ses, tmp_path, RELAY_QUEUE__ANSWER_WITHIN="10")
    assert all(seconds < 10 and text.startswith(QUEUED) for seconds, text in found)
    assert found[0][1].endswith(b"; throttling failure: Maximum sending rate exceeded")


async def test_in_a_pause_each_mail_is_kept_with_its_reason_and_ses_is_left_alone(
    tmp_path: Path,
) -> None:
    async with FakeSes(error("SendingPausedException")) as ses:
        found = await timed_on(ses, tmp_path, RELAY_QUEUE__SLOW_DELAYS="[60]")
        assert len(ses.sent) == 1
    assert all(seconds < 10 for seconds, _ in found)
    assert [text.partition(b"; ")[2] for _, text in found] == [b"sending paused"] * 4


async def test_a_pause_ends_with_the_first_look_that_finds_it_over(
    tmp_path: Path,
) -> None:
    paused = error("SendingPausedException")
    async with FakeSes(paused, paused) as ses:
        settings = spooled(ses, tmp_path, RELAY_QUEUE__SLOW_DELAYS="[0.5, 1]")

        def work() -> None:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                timed(relay.port(), 5)
                until(lambda: states(tmp_path) == ["sent"] * 5)

        await asyncio.to_thread(work)
        # One said so, one looked in vain, and the next look took all others along.
        assert len(ses.sent) == 2 + 5


async def test_after_an_answer_of_any_kind_clients_wait_for_ses_again(
    tmp_path: Path,
) -> None:
    async with FakeSes(Answer(then="reset")) as ses:
        settings = spooled(
            ses, tmp_path, RELAY_QUEUE__UNSEEN_DELAYS="[60]", RELAY_LOG__LEVEL="debug"
        )

        def work() -> list[tuple[float, bytes]]:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                found = timed(relay.port(), 2)
                until(lambda: states(tmp_path) == ["queued", "sent"])
                return found + timed(relay.port(), 1)

        first, second, third = await asyncio.to_thread(work)
    assert first[1].startswith(QUEUED)
    assert second[1].startswith(QUEUED)  # the worker's attempt on it ends the silence
    assert third[1].startswith(OK)


# An outage, and what follows.

RATE = 20  # recipients per second, of the account


@pytest.fixture
def account() -> dict[str, Answer]:
    body = {
        "SendingEnabled": True,
        "SendQuota": {"Max24HourSend": 50_000, "MaxSendRate": RATE},
    }
    return {"/v2/email/account": Answer(body=json.dumps(body).encode())}


async def test_after_an_outage_all_leaves_at_the_pace_and_new_mail_is_not_starved(
    tmp_path: Path, account: dict[str, Answer]
) -> None:
    async with FaultySes(Random(4)) as ses:
        ses.resources = account
        settings = spooled(
            ses,
            tmp_path,
            RELAY_QUEUE__ANSWER_WITHIN="1",
            RELAY_LOG__LEVEL="debug",
            RELAY_QUEUE__RETRY_DELAYS="[0.2, 0.5, 1]",
        )

        down, enough = threading.Event(), threading.Event()

        async def outage() -> None:
            await asyncio.to_thread(until, lambda: len(ses.calls) >= 5)
            await ses.vanish()
            down.set()
            await asyncio.to_thread(enough.wait)
            await ses.reopen()

        def work() -> int:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                relay.event("pace")
                sent = itertools.count()

                def some(count: int) -> list[bytes]:
                    mails = itertools.islice(sent, count)
                    replies = [submit(relay.port(), f"crash-{one}") for one in mails]
                    assert {code for code, _ in replies} == {250}
                    return [text for _, text in replies]

                def at_once() -> bool:
                    time.sleep(4 / RATE)
                    return some(1)[0].startswith(OK)

                some(5)
                down.wait()
                some(100)
                enough.set()
                until(lambda: len({call.mail for call in ses.calls}) >= 20)
                # What comes now is behind the rest, and no more.
                assert all(text.startswith(QUEUED) for text in some(5))
                until(lambda: set(states(tmp_path)) == {"sent"})
                # All is as it was, as soon as there is a token again.
                until(at_once)
                assert relay.stop() == 0
                return next(sent)

        task = asyncio.create_task(outage())
        sent = await asyncio.to_thread(work)
        await task
    assert sorted(call.mail for call in ses.calls) == list(range(sent))
    after = [call.at for call in ses.calls[5:]]
    # The pace was kept; to the second, tests/unit/delivery/test_pace_window.py sees it,
    # which has the clock. What a busy machine saw late came all the closer.
    assert after[99] - after[0] > 0.5 * 98 / (0.9 * RATE)
