"""Shared commits: what one caller's trouble does to the others."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from relay.queue.shared_commit import Writer


def connected(path: Path, *, patience: float = 0.2) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False
    )
    connection.execute("CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY)")
    return connection


def made(connection: sqlite3.Connection) -> Writer:
    return Writer(connection, look=lambda _: None, tell=lambda _: None)


async def test_one_that_cannot_be_written_takes_no_other_with_it(
    tmp_path: Path,
) -> None:
    connection = connected(tmp_path / "kept.db")
    writer = made(connection)

    def insert(number: int) -> asyncio.Task[object]:
        sql = "INSERT INTO kept VALUES (?)"
        return asyncio.create_task(writer.do(lambda c: c.execute(sql, (number,))))

    tasks = [insert(number) for number in (1, 2, 1, 3)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [isinstance(result, sqlite3.IntegrityError) for result in results]
    assert failed == [False, False, True, False]
    found = connection.execute("SELECT number FROM kept ORDER BY number").fetchall()
    assert found == [(1,), (2,), (3,)]
    await writer.close()
    connection.close()


async def test_all_that_wait_for_a_held_file_are_told_after_one_wait(
    tmp_path: Path,
) -> None:
    connection = connected(tmp_path / "kept.db")
    holder = connected(tmp_path / "kept.db")
    holder.execute("BEGIN IMMEDIATE")
    writer = made(connection)
    begun = time.monotonic()
    ran = []
    results = await asyncio.gather(
        *(writer.do(lambda _: ran.append(1)) for _ in range(40)), return_exceptions=True
    )
    assert all(isinstance(result, sqlite3.OperationalError) for result in results)
    assert ran == []
    assert time.monotonic() - begun < 4  # 40 waits would be 8 s
    holder.execute("ROLLBACK")
    assert await writer.do(lambda c: c.execute("SELECT 7").fetchone()) == (7,)
    await writer.close()
    for opened in (holder, connection):
        opened.close()


@pytest.mark.parametrize("failure", [KeyError("a bug"), sqlite3.OperationalError("x")])
async def test_a_failure_is_its_callers_and_leaves_nothing_behind(
    tmp_path: Path, failure: Exception
) -> None:
    connection = connected(tmp_path / "kept.db")
    writer = made(connection)

    def broken(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO kept VALUES (1)")
        raise failure

    with pytest.raises(type(failure)):
        await writer.do(broken)
    assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    await writer.close()
    connection.close()
