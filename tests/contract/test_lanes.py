"""Lanes of the queue: the mail of one account is in nobody else's way."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.model.job import Failed, Job, Queued
from relay.model.mail import Choice, Mail, Priority, SendOptions
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId
from relay.queue import Queue, file
from relay.queue.sqlite import open_spool
from tests.memory_queue import MemoryQueue

ACCOUNTS = ("", "b", "c")
LATER = 1000.0
MUCH = 1_000_000
NO = Reply(554, "6.0", "no")


@pytest.fixture(params=["sqlite", "memory"])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    if request.param == "memory":
        yield MemoryQueue(accounts=ACCOUNTS)
        return
    async with open_spool(
        tmp_path / "spool.db", keep_sent=LATER, keep_failed=LATER, accounts=ACCOUNTS
    ) as spool:
        yield spool


def job(
    queue: Queue,
    name: str,
    account: str = "",
    *,
    age: float = 1.0,
    wait: float = 0.0,
    marked: bool = False,
    priority: Priority = Priority.NORMAL,
) -> Job:
    now = queue.now()
    mail = Mail(
        Envelope("a@b.example", ("c@d.example",)),
        b"\r\nx",
        SendOptions(account=account),
        Choice(priority=priority),
    )
    waiting = Queued(0, now + wait if wait else now - age, maybe_sent=marked)
    return Job(MailId(name), 0, mail, now - age, now + LATER, waiting)


async def claimed(
    queue: Queue,
    *lanes: int,
    limit: int = 9,
    unmarked: tuple[int, ...] = (),
) -> list[str]:
    claims = await queue.claim(limit, size=MUCH, lanes=lanes, unmarked=unmarked)
    return [claim.job.id for claim in claims]


async def test_who_claims_gets_the_mail_of_its_lanes_alone(queue: Queue) -> None:
    await queue.put([job(queue, "k1"), job(queue, "k2", "b"), job(queue, "k3", "c")])
    assert await claimed(queue, 1) == ["k2"]
    assert await claimed(queue, 0, 1) == ["k1"]
    assert await claimed(queue, 2) == ["k3"]


async def test_lanes_together_leave_by_priority_then_by_age(queue: Queue) -> None:
    await queue.put([job(queue, "k1", "b", age=3), job(queue, "k2", age=9)])
    await queue.put(
        [
            job(queue, "k3", age=5),
            job(queue, "k4", "b", age=1, priority=Priority.HIGH),
        ]
    )
    assert await claimed(queue, 0, 1, limit=3) == ["k4", "k2", "k3"]
    assert await claimed(queue, 0, 1) == ["k1"]


async def test_what_is_due_is_told_by_lane(queue: Queue) -> None:
    assert queue.due_in((1,)) is None
    await queue.put([job(queue, "k1", "b", wait=50)])
    assert not queue.is_due(lanes=(1,))
    found = queue.due_in((1,))
    assert found is not None
    assert 49 < found <= 50
    # The ends are those of all lanes.
    assert queue.due_in((0,)) == pytest.approx(LATER, abs=1)
    await queue.due_now((0,))
    assert not queue.is_due()
    await queue.due_now((1,))
    assert queue.is_due(lanes=(1,))
    assert queue.is_due()
    assert not queue.is_due(lanes=(0, 2))


async def test_of_some_lanes_marked_mail_stays(queue: Queue) -> None:
    await queue.put(
        [job(queue, "k1", "b", age=9, marked=True), job(queue, "k2", "b", age=1)]
    )
    assert await claimed(queue, 1, unmarked=(1,)) == ["k2"]
    assert await claimed(queue, 1) == ["k1"]


async def test_turns_of_one_lane_are_not_those_of_another(queue: Queue) -> None:
    """Claims of two that take turns starve no priority of either."""
    for account in ("", "b"):
        await queue.put(
            [
                job(queue, f"{account}{priority.name}{n}", account, priority=priority)
                for priority in (Priority.HIGH, Priority.NORMAL)
                for n in range(20)
            ]
        )
    found: dict[int, list[str]] = {0: [], 1: []}
    for _ in range(10):
        for lane in (0, 1):
            found[lane] += await claimed(queue, lane, limit=1)
    for lane in (0, 1):
        assert sum("NORMAL" in name for name in found[lane]) == 1


async def test_mail_of_an_account_that_is_not_known_is_in_the_last_lane(
    queue: Queue,
) -> None:
    await queue.put([job(queue, "k1", "gone")])
    assert queue.lane("gone") == len(ACCOUNTS)
    assert await claimed(queue, 0, 1, 2) == []
    assert await claimed(queue, 3) == ["k1"]


async def test_the_next_start_brings_mail_into_the_lanes_of_its_settings(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    keep = {"keep_sent": LATER, "keep_failed": LATER}
    async with open_spool(path, **keep, accounts=("", "b", "c")) as spool:
        jobs = [job(spool, f"k{name or 1}", name) for name in ("", "b", "c")]
        failed = jobs[1]._replace(id=MailId("kf"), state=Failed(1, spool.now(), NO))
        await spool.put([*jobs, failed])
    async with open_spool(path, **keep, accounts=("", "c")) as spool:
        assert await claimed(spool, 0) == ["k1"]
        assert await claimed(spool, 1) == ["kc"]
        assert await claimed(spool, 2) == ["kb"]
    connection = file.opened(path, write=False)
    try:
        rows = connection.execute("SELECT id, lane FROM job ORDER BY seq").fetchall()
    finally:
        connection.close()
    # What failed, too: somebody may retry it beside the relay.
    assert [tuple(row) for row in rows] == [("k1", 0), ("kb", 2), ("kc", 1), ("kf", 2)]


async def test_a_spool_of_the_last_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=LATER, keep_failed=LATER) as spool:
        await spool.put([job(spool, "k1"), job(spool, "k2", wait=50)])
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE key; DROP TABLE passed; DROP TABLE suppression; DROP TABLE hook;"
        "DROP INDEX job_account; DROP INDEX job_due; DROP INDEX job_age;"
        "ALTER TABLE job DROP COLUMN send_at;"
        "ALTER TABLE job DROP COLUMN lane; ALTER TABLE job DROP COLUMN account;"
        "CREATE INDEX job_age ON job (accepted_at) WHERE state = 'queued';"
        "CREATE INDEX job_due ON job (priority, due) WHERE state = 'queued';"
        "PRAGMA user_version = 2;"
    )
    connection.close()
    async with open_spool(
        path, keep_sent=LATER, keep_failed=LATER, accounts=ACCOUNTS
    ) as spool:
        assert await claimed(spool, 0) == ["k1"]
        assert spool.figures().waiting == 1
