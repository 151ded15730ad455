"""Retry and drop of many: who was chosen and did not move on, and nobody else."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from relay.model.job import Queued
from relay.model.reply import Reply
from relay.queue import Claim
from relay.queue.admin import open_ledger
from relay.queue.many import AT_ONCE, BYTES_AT_ONCE, What
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Selection, Term
from tests.server.spool import (
    DAY,
    UNREACHABLE,
    calls,
    failed,
    mail,
    one_of_each,
    put,
    sent,
    spool,
    waits,
)

DENIED_ONLY = Selection(states=("queued",), cause="access_denied", later=False)


def done_of(path: Path, what: What, selection: Selection) -> int:
    with open_ledger(path, write=True) as ledger:
        chosen = ledger.choose(selection)
        parts = list(ledger.change(what, chosen, give_up_after=DAY))
    assert not sum((part.left for part in parts), Counter())
    return sum(len(part.done) for part in parts)


def states(path: Path) -> Counter[str]:
    with closing(sqlite3.connect(path)) as connection:
        return Counter(
            state for (state,) in connection.execute("SELECT state FROM job")
        )


async def test_all_of_a_cause_are_due_at_once_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    number = 2 * AT_ONCE + 3
    async with spool(path) as queue:
        await queue.put([waits(queue, Reply(554, "7.1", "Access denied"))] * number)
        await queue.put([waits(queue, UNREACHABLE), waits(queue, None, later=True)])
        assert done_of(path, What.RETRY, DENIED_ONLY) == number
        with open_ledger(path, write=False) as ledger:
            due = [
                (entry.last or "", entry.job.state.due <= ledger.now())
                for entry in ledger.entries(Selection())
                if isinstance(entry.job.state, Queued)
            ]
    assert Counter(due) == {
        ("554 5.7.1 Access denied", True): number,
        (str(UNREACHABLE), False): 1,
        ("", False): 1,
    }


async def test_what_is_to_be_sent_later_goes_now_only_by_name(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await queue.put([waits(queue, None, later=True)])
        assert done_of(path, What.RETRY, Selection(later=False)) == 0
        assert done_of(path, What.RETRY, Selection(cause="later")) == 1
        with open_ledger(path, write=False) as ledger:
            (entry,) = ledger.entries(Selection())
            assert isinstance(entry.job.state, Queued)
            assert entry.job.state.due <= ledger.now()
            assert entry.job.expires_at == pytest.approx(ledger.now() + DAY, abs=60)


async def test_failed_mail_waits_again_for_its_whole_time(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        for _ in range(3):
            await put(queue, mail(), age=20 * DAY, end=failed(queue))
        assert done_of(path, What.RETRY, Selection(states=("failed",))) == 3
    assert states(path) == {"queued": 3}


async def test_who_moved_on_meanwhile_is_left_alone_and_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        for due_in in (600.0, 0.0, 0.0, 0.0, 600.0):
            await put(queue, mail(), due_in=due_in)
        with open_ledger(path, write=True) as ledger:
            chosen = ledger.choose(DENIED_ONLY)
            assert (len(chosen.places), chosen.sending) == (5, 0)
            one, two, three = await queue.claim(10, size=10**9)
            await queue.settle(one, sent(queue))
            state = Queued(2, queue.now() + 600, UNREACHABLE)
            await queue.settle(two, state)
            with open_ledger(path, write=True) as another:
                list(another.drop(Selection(states=("queued",), limit=1)))
            await put(queue, mail())  # nobody has seen it
            (part,) = ledger.change(What.DROP, chosen, give_up_after=DAY)
            again = ledger.choose(DENIED_ONLY)
    assert len(part.done) == 1
    assert part.left == {
        Obstacle.GONE: 1,
        Obstacle.SENT: 1,
        Obstacle.CHANGED: 1,
        Obstacle.SENDING: 1,
    }
    assert (len(again.places), again.sending) == (0, 1)
    assert states(path) == {"sent": 1, "sending": 1, "queued": 2}
    assert isinstance(three, Claim)


async def test_a_code_that_newer_mail_voids_does_not_begin_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        code = mail("eve@example.com", usage="Code", supersedes=True)
        await put(queue, code, end=failed(queue))
        await put(queue, code, end=sent(queue))
        with open_ledger(path, write=True) as ledger:
            chosen = ledger.choose(Selection(states=("failed",)))
            (part,) = ledger.change(What.RETRY, chosen, give_up_after=DAY)
    assert (part.done, part.left) == ([], {Obstacle.VOIDED: 1})


async def test_contents_that_nobody_needs_go_with_them_in_short_parts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await put(queue, *calls(3))
        for _ in range(2):
            await put(queue, mail(content=b"x" * (BYTES_AT_ONCE // 2 + 1)))
        with open_ledger(path, write=True) as ledger:
            chosen = ledger.choose(Selection())
            parts = [
                len(part.done)
                for part in ledger.change(What.DROP, chosen, give_up_after=DAY)
            ]
    assert parts == [4, 1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM content").fetchone() == (0,)


@pytest.mark.parametrize(
    ("term", "found"),
    [
        (Term("to", "bob@"), {"failed"}),
        (Term("to", "bob@", negated=True), {"queued"}),
        (Term("to", '","'), set()),
        (Term("from", "app@acme"), {"queued", "failed"}),
        (Term("usage", "signin"), {"queued"}),
        (Term("account", ""), {"queued", "failed"}),
        (Term("account", "shop"), set()),
        (Term("priority", 1), {"queued", "failed"}),
        (Term("state", "failed"), {"failed"}),
        (Term("any", "mail.example"), {"failed"}),
        (Term("any", "signin"), {"queued"}),
        (Term("any", "'; DROP TABLE job; --"), set()),
    ],
)
async def test_words_choose(tmp_path: Path, term: Term, found: set[str]) -> None:
    path = tmp_path / "spool.db"
    ids = await one_of_each(path)
    with open_ledger(path, write=False) as ledger:
        chosen = ledger.choose(Selection(terms=(term,)))
        listed = ledger.entries(Selection(states=("queued", "failed"), terms=(term,)))
        assert {entry.job.id for entry in listed} == {ids[one] for one in found}
    assert len(chosen.places) == len(found)


async def test_a_time_is_that_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    await one_of_each(path)
    with open_ledger(path, write=False) as ledger:
        hour_ago = ledger.unix(ledger.now() - 4000)
        for field, expected in (("since", "queued"), ("until", "failed")):
            terms = (Term(field, hour_ago),)
            found = ledger.entries(Selection(states=("queued", "failed"), terms=terms))
            states = [type(entry.job.state).__name__.lower() for entry in found]
            assert states == [expected]
