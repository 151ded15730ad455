"""What waits and what failed, grouped by why."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from relay.model.cause import CAUSES, NAMES, reply_class
from relay.model.mail import Priority
from relay.model.reply import Reply
from relay.queue.admin import open_ledger
from relay.queue.groups import ROWS_A_READ, Group
from relay.queue.selection import Selection
from relay.ses.error_table import OUTCOMES
from relay.web.causes import WORDS
from tests.server.spool import (
    DENIED,
    UNREACHABLE,
    failed,
    mail,
    one_of_each,
    put,
    spool,
    waits,
)


def read(path: Path) -> list[Group]:
    with open_ledger(path, write=False) as ledger:
        return ledger.groups()


async def test_each_account_and_cause_is_a_group_the_largest_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        now = queue.now()
        await queue.put(
            [
                waits(queue, DENIED, age=30, priority=Priority.HIGH),
                waits(queue, DENIED, age=700, due_in=-1, priority=Priority.LOW),
                waits(queue, DENIED, age=90_000),
                waits(queue, DENIED, account="shop"),
                waits(queue, UNREACHABLE),
                waits(queue, None, later=True),
                waits(queue, None, due_in=0),
            ]
        )
        await put(queue, mail(), end=failed(queue, maybe_sent=True))
        found = read(path)
    keys = [(one.state, one.account, one.cause, one.count) for one in found]
    assert keys[0] == ("queued", "", "access_denied", 3)
    assert sorted(keys[1:]) == [
        ("failed", "", "access_denied", 1),
        ("queued", "", "later", 1),
        ("queued", "", "new", 1),
        ("queued", "", "unreachable", 1),
        ("queued", "shop", "access_denied", 1),
    ]
    first = found[0]
    assert (first.ages, first.priorities) == ((1, 0, 1, 0, 0, 1), (1, 1, 1))
    assert (first.due_now, first.maybe_sent) == (1, 0)
    assert (first.said, first.alike) == (str(DENIED), True)
    assert first.began == pytest.approx(now - 90_000, abs=5)
    assert first.due == pytest.approx(now - 1, abs=5)
    gone = next(one for one in found if one.state == "failed")
    assert (gone.due, gone.maybe_sent, gone.due_now) == (None, 1, 0)


async def test_replies_that_name_other_people_are_one_cause(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        texts = [f"Message rejected: {name}@x.example is not" for name in "abc"]
        replies = [Reply(554, "7.1", text) for text in texts]
        await queue.put([waits(queue, reply) for reply in replies])
        (found,) = read(path)
    assert (found.cause, found.count, found.alike) == ("not_verified", 3, False)
    assert found.said == str(replies[0])


async def test_what_takes_several_reads_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        some = [waits(queue, DENIED, age=n % 977) for n in range(2 * ROWS_A_READ + 7)]
        await queue.put([*some, waits(queue, UNREACHABLE)])
        found = read(path)
    counts = [(one.cause, one.count, sum(one.ages)) for one in found]
    assert counts == [
        ("access_denied", len(some), len(some)),
        ("unreachable", 1, 1),
    ]
    assert found[0].alike


async def test_mail_of_one_moment_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await queue.put([waits(queue, DENIED) for _ in range(2 * ROWS_A_READ)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE job SET accepted_at = 5")
    assert [one.count for one in read(path)] == [2 * ROWS_A_READ]


@pytest.mark.parametrize(
    "how",
    [
        "accepted_at = x'00'",
        "due = 'soon'",
        "reply = x'ff'",
        "reply = CAST(x'ff' AS TEXT)",
        "account = 7",
        "priority = 'high'",
        "maybe_sent = 'yes'",
        "recipients = 'c@d.example'",
    ],
)
async def test_a_damaged_row_takes_no_other_with_it(tmp_path: Path, how: str) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await queue.put([waits(queue, DENIED), waits(queue, UNREACHABLE)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE job SET {how} WHERE seq = 1")
    found = read(path)
    assert [one.count for one in found if one.cause == "unreachable"] == [1]


def test_every_cause_has_its_words_and_every_answer_a_cause() -> None:
    assert set(WORDS) == set(NAMES)
    assert {reply_class(one.reply) for one in OUTCOMES.values()} <= set(NAMES)
    # An earlier, shorter beginning would hide a longer one.
    starts = [start for start, _ in CAUSES]
    for at, start in enumerate(starts):
        assert not any(start.startswith(before) for before in starts[:at])


async def test_the_cause_of_a_list_is_that_of_the_groups(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        replies = [
            Reply(int(start[:3]), start[6:9], f"{start[10:]} and more".strip())
            for start, _ in CAUSES
        ]
        await queue.put([waits(queue, reply) for reply in replies])
        with open_ledger(path, write=False) as ledger:
            groups = ledger.groups()
            counts = {
                one.cause: ledger.count(Selection(cause=one.cause))[0] for one in groups
            }
    assert counts == {one.cause: one.count for one in groups}
    assert set(counts) == {name for _, name in CAUSES}


async def test_mail_that_ended_is_in_no_group(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    await one_of_each(path)
    assert {one.state for one in read(path)} == {"queued", "failed"}
