"""The idempotency key, end to end: the reply lost, the client sends again."""

from __future__ import annotations

import signal
import socket
import sqlite3
import struct
from contextlib import closing
from email.utils import formatdate, make_msgid
from pathlib import Path

import pytest

from tests.fake_ses import Answer, FakeSes, error
from tests.server.relay_process import RelayProcess, until
from tests.server.test_limit_per_recipient import no_writes
from tests.server.test_queue_replies import jobs, spooling, states
from tests.server.test_traps import submit, with_relay

DENIED = error("AccessDeniedException", 403, "not authorized")
REJECTED = error("MessageRejected", text="Bad content")
OTHER = "550 5.6.0 Idempotency key used for another mail"


def mail(key: str = "order-17", text: str = "hi") -> bytes:
    """As an app makes it: with another date and another id each time."""
    lines = [
        f"Date: {formatdate()}",
        f"Message-ID: {make_msgid()}",
        "From: a@a.example",
        f"X-Relay-Idempotency-Key: {key}",
        *("", text, ""),
    ]
    return "\r\n".join(lines).encode()


def send(relay: RelayProcess, content: bytes | None = None) -> str:
    _, reply = submit(relay, content or mail())
    return reply


def lost(relay: RelayProcess, *, reset: bool) -> None:
    """Send a mail, and break the connection after the final dot."""
    with socket.create_connection(("127.0.0.1", relay.port())) as connection:
        file = connection.makefile("rb")
        file.readline()
        for line in (b"HELO x", b"MAIL FROM:<a@a.example>", b"RCPT TO:<c@d.example>"):
            connection.sendall(line + b"\r\n")
            file.readline()
        connection.sendall(b"DATA\r\n")
        assert file.readline().startswith(b"354")
        connection.sendall(mail() + b".\r\n")
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def keys(directory: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(directory / "spool.db")) as connection:
        return connection.execute("SELECT scope, text FROM key").fetchall()


def settings(directory: Path, engine: str) -> dict[str, str]:
    return spooling(directory) if engine == "sqlite" else {}


@pytest.mark.parametrize("engine", ["sqlite", "none"])
@pytest.mark.parametrize("reset", [False, True])
async def test_the_reply_is_lost_and_the_client_sends_again(
    tmp_path: Path, engine: str, reset: bool
) -> None:
    """It comes again while the first is still with SES, and once more after it."""

    def use(relay: RelayProcess) -> list[str]:
        lost(relay, reset=reset)
        return [send(relay), send(relay)]

    async with FakeSes(Answer(seconds=1)) as ses:
        said = await with_relay(ses, use, **settings(tmp_path, engine))
        assert len(ses.sent) == 1
    assert said == ["250 2.0.0 Ok 0100fake-000001"] * 2


async def test_the_key_is_durable_before_the_250(tmp_path: Path) -> None:
    def first(relay: RelayProcess) -> str:
        reply = send(relay)
        relay.stop(signal.SIGKILL)
        return reply

    def again(relay: RelayProcess) -> list[str]:
        said = [send(relay), send(relay, mail(text="another"))]
        line = relay.event("repeated")
        assert line["level"] == "info"
        assert line["first"] != line["id"]
        return said

    async with FakeSes() as ses:
        reply = await with_relay(ses, first, **spooling(tmp_path))
        assert keys(tmp_path) == [("listener:local", "order-17")]
        assert jobs(tmp_path) == []
        said = await with_relay(ses, again, **spooling(tmp_path))
        assert len(ses.sent) == 1
    assert said == [reply, OTHER]


async def test_the_key_of_mail_that_is_kept_is_in_the_same_write(
    tmp_path: Path,
) -> None:
    def first(relay: RelayProcess) -> str:
        reply = send(relay)
        relay.stop(signal.SIGKILL)
        return reply

    def again(relay: RelayProcess) -> str:
        reply = send(relay)
        until(lambda: states(tmp_path) == ["sent"])
        assert send(relay) == reply
        return reply

    slow = spooling(tmp_path, RELAY_QUEUE__SLOW_DELAYS="[2]")
    async with FakeSes(DENIED) as ses:
        reply = await with_relay(ses, first, **slow)
        assert reply.startswith("250 2.0.0 queued as ")
        assert await with_relay(ses, again, **slow) == reply
        assert len(ses.sent) == 2


@pytest.mark.parametrize("engine", ["sqlite", "none"])
async def test_a_refusal_frees_the_key(tmp_path: Path, engine: str) -> None:
    def use(relay: RelayProcess) -> list[str]:
        said = [send(relay)[:9] for _ in range(3)]
        return [*said, send(relay, mail("another", text="another"))[:9]]

    async with FakeSes(REJECTED) as ses:
        said = await with_relay(ses, use, **settings(tmp_path, engine))
        assert len(ses.sent) == 3
    assert said == ["554 5.6.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"]


async def test_what_ses_took_is_250_though_its_key_cannot_be_written(
    tmp_path: Path,
) -> None:
    """It is known meanwhile, and written when it can be."""

    def first(relay: RelayProcess) -> list[str]:
        with no_writes(relay):
            said = [send(relay), send(relay)]
            relay.event("note not written")
            assert send(relay, mail("k2")) == "250 2.0.0 Ok 0100fake-000002"
        until(lambda: len(keys(tmp_path)) == 2)
        relay.stop(signal.SIGKILL)
        return said

    async with FakeSes() as ses:
        said = await with_relay(ses, first, **spooling(tmp_path))
        said.append(await with_relay(ses, send, **spooling(tmp_path)))
        assert len(ses.sent) == 2
    assert said == ["250 2.0.0 Ok 0100fake-000001"] * 3


async def test_mail_that_cannot_be_kept_frees_its_key(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> list[str]:
        with no_writes(relay):
            said = [send(relay)]
        return [*said, send(relay)]

    async with FakeSes(DENIED) as ses:
        said = await with_relay(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == 2
    assert said == [
        "451 4.3.0 The mail cannot be kept now, try again later",
        "250 2.0.0 Ok 0100fake-000002",
    ]


async def test_kill_9_before_ses_has_answered_leaves_the_key_free(
    tmp_path: Path,
) -> None:
    """Nobody knows then whether SES has it, and its client was told nothing."""

    def first(relay: RelayProcess) -> None:
        lost(relay, reset=False)
        until(lambda: len(ses.sent) == 1)
        relay.stop(signal.SIGKILL)

    async with FakeSes(Answer(seconds=30)) as ses:
        await with_relay(
            ses, first, **spooling(tmp_path, RELAY_QUEUE__ANSWER_WITHIN="20")
        )
        assert keys(tmp_path) == []
        reply = await with_relay(ses, send, **spooling(tmp_path))
    assert reply.startswith("250 2.0.0 Ok ")
    assert keys(tmp_path) == [("listener:local", "order-17")]
