"""`perRecipient`: what a client hears, and what a crash leaves of the counts."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.fake_ses import Answer, FakeSes, error
from tests.server.relay_process import RelayProcess, until
from tests.server.test_queue_replies import jobs, spooling, states
from tests.server.test_traps import submit, with_relay
from tests.web.site import refused_start

CODE = b"From: a@a.example\r\nX-Relay-Usage: Code\r\n\r\n-\r\n"
TOO_MANY = "450 4.7.1 Too many Code mails to this recipient"
DENIED = error("AccessDeniedException", 403, "not authorized")
REJECTED = error("MessageRejected", text="Bad content")


def limited(
    directory: Path | None, limit: str = "2/d", over: str = "reject"
) -> dict[str, str]:
    template = {
        "usageType": "Code",
        "subject": "s",
        "content": "c",
        "perRecipient": limit,
        "overLimit": over,
    }
    settings = {"RELAY_TEMPLATES": json.dumps([template])}
    return settings if directory is None else spooling(directory, **settings)


def send(relay: RelayProcess, *to: str) -> str:
    _, reply = submit(relay, CODE, recipients=to or ("c@d.example",))
    return reply


def counts(directory: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(directory / "spool.db")) as connection:
        rows = connection.execute("SELECT template, address FROM passed")
        return sorted(rows.fetchall())


@contextmanager
def no_writes(relay: RelayProcess) -> Iterator[None]:
    """Every write to a file fails, as on a disk that turned read-only."""
    pid, forever = relay.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, forever))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (forever, forever))


async def test_the_limit_is_told_and_survives_kill_9(tmp_path: Path) -> None:
    settings = limited(tmp_path)

    def first(relay: RelayProcess) -> None:
        assert send(relay, "Ann+x@d.example").startswith("250 2.0.0 Ok ")
        relay.stop(signal.SIGKILL)

    def second(relay: RelayProcess) -> None:
        assert send(relay, "ann@d.example").startswith("250 2.0.0 Ok ")
        assert send(relay, "ann@D.example", "bob@d.example") == TOO_MANY
        assert send(relay, "bob@d.example").startswith("250 2.0.0 Ok ")
        refused = relay.event("refused")
        assert (refused["reply"], refused["level"]) == (TOO_MANY, "warning")

    async with FakeSes() as ses:
        await with_relay(ses, first, **settings)
        assert counts(tmp_path) == [("Code", "ann@d.example")]
        await with_relay(ses, second, **settings)
        assert len(ses.sent) == 3
    assert jobs(tmp_path) == []


async def test_mail_that_is_kept_counts_with_it_and_refused_mail_does_not(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> None:
        assert send(relay).startswith("554 5.6.0 Message rejected")
        assert counts(tmp_path) == []
        assert send(relay).startswith("250 2.0.0 queued as ")
        assert counts(tmp_path) == [("Code", "c@d.example")]
        assert send(relay) == TOO_MANY
        until(lambda: states(tmp_path) == ["sent"])

    async with FakeSes(REJECTED, DENIED) as ses:
        await with_relay(ses, use, **limited(tmp_path, "1/d"))
        assert len(ses.sent) == 3


async def test_what_is_dropped_is_logged_and_not_sent(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> None:
        send(relay)
        reply = send(relay)
        line = relay.event("dropped")
        assert reply == line["reply"] == f"250 2.0.0 dropped as {line['id']}"

    async with FakeSes() as ses:
        await with_relay(ses, use, **limited(tmp_path, "1/d", "drop"))
        assert len(ses.sent) == 1


async def test_without_a_queue_the_process_remembers() -> None:
    def use(relay: RelayProcess) -> list[str]:
        return [send(relay)[:9] for _ in range(3)]

    async with FakeSes(Answer(), REJECTED) as ses:
        said = await with_relay(ses, use, **limited(None))
        assert said == ["250 2.0.0", "554 5.6.0", "250 2.0.0"]
        said = await with_relay(ses, use, **limited(None, "1/m"))
    assert said == ["250 2.0.0", "450 4.7.1", "450 4.7.1"]


async def test_a_spool_that_cannot_be_written_does_not_hold_up_what_ses_takes(
    tmp_path: Path,
) -> None:
    """The count is known meanwhile, and written when it can be."""

    def use(relay: RelayProcess) -> None:
        with no_writes(relay):
            assert send(relay).startswith("250 2.0.0 Ok ")
            relay.event("note not written")
            assert send(relay) == TOO_MANY
        until(lambda: counts(tmp_path) == [("Code", "c@d.example")])
        assert send(relay) == TOO_MANY

    async with FakeSes() as ses:
        await with_relay(ses, use, **limited(tmp_path, "1/d"))
        assert len(ses.sent) == 1


@pytest.mark.parametrize("limit", ["5", "0/h", "5/w", "-1/h", "1001/d", "5/hour"])
def test_a_limit_that_is_none_stops_the_start(limit: str) -> None:
    said = refused_start(limited(None, limit))
    assert "perRecipient" in said
    assert limit in said
    assert "must be a number of mails from 1 to 1000 per s, m, h or d" in said
