"""Mail that goes out on a connection that is there: attempted in its session's task.

The first mail of each relay makes the connection. What clients hear and what becomes
of their mail is the same as without one (test_queue_replies.py).
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fake_ses import Answer, FakeSes
from tests.server.relay_process import RelayProcess, until
from tests.server.test_life import MAIL, Client
from tests.server.test_queue_replies import (
    DENIED,
    FOREVER,
    REJECTED,
    THROTTLED,
    queued_as,
    spooling,
    states,
)
from tests.server.test_traps import submit, with_relay

T = TypeVar("T")


async def connected(
    ses: FakeSes, use: Callable[[RelayProcess], T], **settings: str
) -> T:
    """Use a relay that has a connection to SES."""
    ses.answers.appendleft(Answer())

    def run(relay: RelayProcess) -> T:
        assert submit(relay, MAIL)[1].startswith("250 2.0.0 Ok ")
        return use(relay)

    return await with_relay(ses, run, **settings)


@pytest.mark.parametrize(
    ("answer", "reply", "kept"),
    [
        (Answer(), "250 2.0.0 Ok 0100fake-000002", []),
        (REJECTED, "554 5.6.0 Message rejected: Bad content", []),
        (DENIED, "queued; access denied", ["sent"]),
        (THROTTLED, "queued; throttling failure: Maximum sending rate", ["sent"]),
        (Answer(then="reset"), "queued; no answer from SES; the mail may", ["sent"]),
        (Answer(body=b"{}"), "queued; no answer from SES; the mail may", ["sent"]),
    ],
)
async def test_each_answer_is_heard_as_on_a_new_connection(
    tmp_path: Path, answer: Answer, reply: str, kept: list[str]
) -> None:
    def use(relay: RelayProcess) -> str:
        _, said = submit(relay, MAIL)
        until(lambda: states(tmp_path) == kept)
        return said

    async with FakeSes(answer) as ses:
        said = await connected(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == (3 if kept else 2)
    if reply.startswith("queued; "):
        said = f"queued; {queued_as(said)[1]}"
    assert said.startswith(reply)


async def test_a_client_waits_no_longer_and_the_answer_that_comes_then_is_the_end(
    tmp_path: Path,
) -> None:
    loop, answered = asyncio.get_running_loop(), asyncio.Event()

    def use(relay: RelayProcess) -> tuple[str, float]:
        began = time.monotonic()
        _, reply = submit(relay, MAIL)
        waited = time.monotonic() - began
        assert states(tmp_path) == ["sending"]
        loop.call_soon_threadsafe(answered.set)
        until(lambda: states(tmp_path) == ["sent"])
        return reply, waited

    async with FakeSes(Answer(after=answered)) as ses:
        reply, waited = await connected(
            ses, use, **spooling(tmp_path, RELAY_SES__ATTEMPT_TIMEOUT="20")
        )
        assert len(ses.sent) == 2
    assert queued_as(reply)[1] == ""
    assert waited >= 2  # answerWithin


async def test_on_a_silent_ses_the_end_is_unseen_and_the_mail_goes_again(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> str:
        _, reply = submit(relay, MAIL)
        until(lambda: states(tmp_path) == ["sent"])
        return reply

    async with FakeSes(FOREVER) as ses:
        reply = await connected(
            ses,
            use,
            **spooling(
                tmp_path,
                RELAY_SES__ATTEMPT_TIMEOUT="3",
                RELAY_SES__CONNECT_TIMEOUT="2",
            ),
        )
        assert len(ses.sent) == 3
    queued_as(reply)


async def test_a_client_that_left_before_a_5xx_gets_a_report(tmp_path: Path) -> None:
    late = Answer(400, "MessageRejected", "Bad", seconds=0.7)
    async with FakeSes(late) as ses:

        def use(relay: RelayProcess) -> None:
            client = Client(relay.port())
            client.submit()
            client.socket.shutdown(socket.SHUT_WR)
            queued_as(client.reply())
            client.close()
            until(lambda: sorted(states(tmp_path)) == ["failed", "sent"])

        await connected(
            ses,
            use,
            **spooling(tmp_path, RELAY_QUEUE__REPORT_FROM="bounces@acme.example"),
        )
        report = message_from_bytes(ses.sent[-1].mail)
    assert report.get_content_type() == "multipart/report"


async def test_a_client_that_resets_ends_neither_its_attempt_nor_the_record(
    tmp_path: Path,
) -> None:
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    async with FakeSes(replace(THROTTLED, after=gone)) as ses:

        def use(relay: RelayProcess) -> None:
            client = Client(relay.port())
            client.submit()
            until(lambda: len(ses.sent) == 2)
            linger = struct.pack("ii", 1, 0)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
            loop.call_soon_threadsafe(gone.set)
            until(lambda: states(tmp_path) == ["sent"])

        await connected(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == 3


async def test_a_stop_waits_for_the_answer_and_the_client_hears_it(
    tmp_path: Path,
) -> None:
    loop, answered = asyncio.get_running_loop(), asyncio.Event()

    def use(relay: RelayProcess) -> str:
        client = Client(relay.port())
        client.submit()
        until(lambda: len(ses.sent) == 2)
        relay.process.send_signal(signal.SIGTERM)
        relay.event("stopping")
        loop.call_soon_threadsafe(answered.set)
        reply = client.reply()
        client.close()
        assert relay.wait() == 0
        return reply

    async with FakeSes(Answer(after=answered)) as ses:
        reply = await connected(
            ses, use, **spooling(tmp_path, RELAY_QUEUE__ANSWER_WITHIN="20")
        )
        assert len(ses.sent) == 2
    assert reply == "250 2.0.0 Ok 0100fake-000002"
    assert states(tmp_path) == []
