"""The ledger beside its spool: what it means, whose its files are, what time it is."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from relay.model.job import Sent
from relay.queue.admin import open_ledger
from relay.queue.many import BYTES_AT_ONCE
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Selection
from tests.server.spool import (
    DAY,
    calls,
    failed,
    mail,
    one_of_each,
    put,
    sent,
    spool,
)


async def test_mail_that_comes_after_the_beginning_is_not_meant(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        before = await put(queue, mail())
        with open_ledger(path, write=True) as ledger:
            await put(queue, mail())
            changes = list(ledger.drop(Selection()))
    assert [change.entry.job.id for change in changes] == [before]


async def test_a_limit_counts_over_pages(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await put(queue, *calls(450, 1))
        await put(queue, *calls(50, 1))
    with open_ledger(path, write=False) as ledger:
        for limit in (1, 200, 201, 420, 500, 600):
            few = Selection(limit=limit)
            assert len(list(ledger.entries(few))) == min(limit, 500)
            assert ledger.count(few) == (min(limit, 500), 1 if limit <= 450 else 2)


async def test_what_moved_on_after_it_was_listed_is_looked_at_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        for due_in in (600.0, 0.0, 600.0, 600.0):
            # So large that each is a transaction of its own.
            await put(queue, mail(content=b"x" * BYTES_AT_ONCE), due_in=due_in)
        with open_ledger(path, write=True) as ledger:
            changes = ledger.drop(Selection(states=("queued",)))
            first = next(changes)
            assert len(await queue.claim(10, size=10**9)) == 1
            with open_ledger(path, write=True) as another:
                list(another.drop(Selection(states=("queued",), limit=1)))
            rest = list(changes)
    assert first.obstacle is None
    assert [change.obstacle for change in rest] == [
        Obstacle.SENDING,
        Obstacle.GONE,
        None,
    ]


async def test_the_clock_goes_on_from_what_the_spool_has_seen(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await put(queue, mail(valid_for=600.0), end=failed(queue))
    connection = sqlite3.connect(path)
    # A relay whose system's clock was a day ahead, and was set back after it ended.
    seen = time.time() + DAY
    connection.execute("UPDATE clock SET seen = ?", (seen,))
    connection.commit()
    connection.close()
    with open_ledger(path, write=True) as ledger:
        assert ledger.now() == pytest.approx(seen, abs=5)
        assert ledger.unix(ledger.now()) == pytest.approx(time.time(), abs=5)
        (change,) = ledger.retry(Selection(), give_up_after=4 * DAY)
    assert change.entry.job.expires_at == pytest.approx(seen + 600, abs=5)


async def test_a_clock_that_was_set_while_the_relay_runs_moves_no_time(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await put(queue, mail())
    connection = sqlite3.connect(path)
    # As a running relay notes it when the system's clock goes an hour forward.
    connection.execute("UPDATE clock SET ahead = 3600, seen = seen - 3600")
    connection.execute("UPDATE job SET accepted_at = accepted_at - 3600")
    connection.commit()
    connection.close()
    with open_ledger(path, write=False) as ledger:
        (entry,) = ledger.entries(Selection(newer_than=60))
        assert ledger.unix(entry.job.accepted_at) == pytest.approx(time.time(), abs=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user than it")
async def test_root_leaves_the_spools_files_to_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    await one_of_each(path)
    os.chown(path, 10025, 10025)
    with open_ledger(path, write=True) as ledger:
        list(ledger.retry(Selection(states=("failed",)), give_up_after=DAY))
        files = [
            (tmp_path / f"spool.db{ending}").stat() for ending in ("", "-wal", "-shm")
        ]
    assert {found.st_uid for found in files} == {10025}
    assert {found.st_mode & 0o777 for found in files} == {0o600}


async def test_the_mark_of_an_unseen_end_stays_on_mail_that_was_sent_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await put(queue, mail(), end="sending")
    async with spool(path) as queue:  # as after a crash
        (claim,) = await queue.claim(10, size=10**9)
        await queue.settle(claim, sent(queue))
    with open_ledger(path, write=False) as ledger:
        (entry,) = ledger.entries(Selection())
    assert isinstance(entry.job.state, Sent)
    assert entry.maybe_sent
