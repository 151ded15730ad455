"""The spool's file: its mode, its owner, what is refused, and what it costs."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from relay.model.job import Failed, Job, Queued, Sending, Sent
from relay.model.mail import Choice, Mail
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId
from relay.queue import Claim, Queue, file, lock, rows
from relay.queue.lanes import Lanes
from relay.queue.sqlite import SqliteQueue, open_spool
from tests.server.relay_process import environment, running_relay
from tests.server.test_life import relay_command

KEEP = 1000.0
DOWN = Reply(451, "4.1", "SES cannot be reached")


def job(
    queue: Queue,
    state: Queued | Sending | None = None,
    *,
    content: bytes = b"x" * 100,
    choice: Choice | None = None,
) -> Job:
    now = queue.now()
    mail = Mail(Envelope("a@b.example", ("c@d.example",)), content)
    if choice:
        mail = Mail(mail.envelope, content, choice=choice)
    return Job(MailId("k1"), 0, mail, now, now + KEEP, state or Queued(0, now))


def asked(path: Path, question: str) -> Any:  # noqa: ANN401 - whatever SQL gives
    """What somebody beside the owner reads."""
    connection = file.opened(path, write=False)
    try:
        return connection.execute(question).fetchone()[0]
    finally:
        connection.close()


async def seen(path: Path, question: str) -> None:
    """Wait until somebody beside the owner sees it."""
    async with asyncio.timeout(30):
        while not asked(path, question):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.1)


def spooled(path: Path) -> dict[str, str]:
    """Settings of a relay with this spool."""
    return {
        "RELAY_TRANSPORT": "capture",
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_QUEUE__PATH": os.fspath(path),
    }


def served(path: Path) -> tuple[int, str]:
    """How `relay serve` ends on a spool that it cannot use: exit code and words."""
    settings = {
        **spooled(path),
        "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
    }
    found = relay_command("serve", "-c", os.devnull, settings=settings)
    return found.returncode, found.stderr


# The file and its owner.


async def test_only_the_relays_user_may_read_what_the_spool_writes(
    tmp_path: Path,
) -> None:
    before = os.umask(0)
    try:
        path = tmp_path / "spool.db"
        async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
            await queue.put([job(queue)])
            names = ["spool.db", "spool.db-wal", "spool.db-shm", "spool.db.lock"]
            modes = {
                name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names
            }
    finally:
        os.umask(before)
    assert modes == {
        "spool.db": 0o600,
        "spool.db-wal": 0o600,
        "spool.db-shm": 0o600,
        "spool.db.lock": 0o600,
    }


def test_trap_10_a_second_relay_is_refused_with_the_name_of_the_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    settings = spooled(path)
    with running_relay("-c", os.devnull, settings=settings) as relay:
        relay.event("ready")
        code, words = served(path)
        assert f"relay process {relay.process.pid} on {os.uname().nodename}" in words
        assert f"queue.path = {path}: in use by" in words
        assert (code, "Traceback" in words) == (2, False)
        # One that was killed leaves its name, but nothing that is held.
        relay.process.send_signal(signal.SIGKILL)
        relay.wait()
    with running_relay("-c", os.devnull, settings=settings) as relay:
        relay.event("ready")


def test_a_link_where_the_lock_should_be_stops_the_start_and_its_target_stays(
    tmp_path: Path,
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("not to be emptied\n")
    path = tmp_path / "spool.db"
    (tmp_path / "spool.db.lock").symlink_to(precious)
    code, words = served(path)
    assert (code, "Traceback" in words) == (2, False)
    says = f"queue.path = {path}: spool.db.lock is a symbolic link; remove it"
    assert says in words
    assert precious.read_text() == "not to be emptied\n"
    assert not path.exists()


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, but it is long enough\n" * 1000)


def _newer(path: Path) -> None:
    connection = file.connect(path)
    connection.execute(f"PRAGMA user_version = {file.NEWEST + 1}")
    connection.close()


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _full(path: Path) -> None:
    connection = file.connect(path)
    connection.executescript(
        """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000)
        INSERT INTO content SELECT i, zeroblob(500) FROM n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000)
        INSERT INTO job (seq, id, number, content, size, sender, recipients, options,
          usage, choice, report, accepted_at, expires_at, state, attempts, maybe_sent)
        SELECT i, 'k' || i, 0, i, 500, NULL, '["c@d.example"]', '{}', '', '{}', 0,
          1, 2, 'sending', 1, 0 FROM n;
        """
    )
    connection.close()


def _cut_off(path: Path) -> None:
    _full(path)
    os.truncate(path, path.stat().st_size // 2)


def _overwritten(path: Path) -> None:
    """All but the first page is something else's."""
    _full(path)
    size = path.stat().st_size
    with path.open("r+b") as spool:
        spool.seek(file.PAGE_SIZE)
        spool.write(b"\xa5" * (size - file.PAGE_SIZE))


def _hole(path: Path) -> None:
    """The root page of the first table is gone, as a disk loses a sector."""
    _full(path)
    with path.open("r+b") as spool:
        spool.seek(2 * file.PAGE_SIZE)
        spool.write(bytes(file.PAGE_SIZE))


def _directory(path: Path) -> None:
    path.mkdir()


def _nowhere(path: Path) -> None:
    path.parent.rmdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_garbage, "file is not a database; move the file aside"),
        (_newer, f"version {file.NEWEST + 1}, of a later release"),
        (_foreign, "another program's database"),
        (_cut_off, "database disk image is malformed; move the file aside"),
        (_overwritten, "database disk image is malformed; move the file aside"),
        (_hole, "database disk image is malformed; move the file aside"),
        (_directory, "spool.db is a directory; name a file in it"),
        (_nowhere, "No such file or directory"),
    ],
)
def test_a_file_that_is_no_spool_of_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "spool" / "spool.db"
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    code, words = served(path)
    assert says in words
    assert words.count(f"queue.path = {path}: ") == 1
    assert (code, "Traceback" in words) == (2, False)
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_mail_that_was_being_sent_is_due_at_once_and_may_have_been_sent(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
        later = queue.now() + KEEP
        await queue.put([job(queue, Sending(3)), job(queue, Queued(1, later, DOWN))])
    async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
        assert queue.is_due()
        assert (queue.figures().waiting, queue.figures().sending) == (2, 0)
        (claim,) = await queue.claim(9, size=10_000)
        assert claim.job.state == Sending(4, maybe_sent=True)


async def test_after_a_restart_mail_that_is_overdue_leaves_oldest_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
        now = queue.now()
        for number, (age, due) in enumerate([(9.0, -8.0), (50.0, -1.0), (1.0, -1.0)]):
            waiting = job(queue, Queued(1, now + due), content=b"%d" % number)
            await queue.put([waiting._replace(accepted_at=now - age)])
    async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
        claims = await queue.claim(9, size=10_000)
    assert [one.job.mail.content for one in claims] == [b"1", b"0", b"2"]


async def test_sent_mail_is_forgotten_after_its_time_and_its_space_given_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=0.01, keep_failed=KEEP) as queue:
        claims, _ = await queue.put([job(queue, Sending(1)) for _ in range(2)])
        await queue.settle(claims[0], Failed(1, queue.now(), DOWN))
        stopping = asyncio.Event()
        keeping = asyncio.create_task(queue.run(stopping))
        for _ in range(20):
            content = os.urandom(1_000_000)
            jobs = [job(queue, Sending(1), content=content)]
            (claim,), _ = await queue.put(jobs)
            await queue.settle(claim, Sent(1, queue.now(), "0100-1"))
            assert asked(path, "SELECT max(length(bytes)) FROM content") == 100
        # At the very most one mail's pages are in use at a time.
        assert path.stat().st_size < 10_000_000
        large: list[Claim] = []
        for _ in range(20):
            taken, _ = await queue.put([job(queue, Sending(1), content=bytes(10**6))])
            large += taken
        for claim in large:
            await queue.settle(claim, Sent(1, queue.now(), "0100-1"))
        free = asked(path, "SELECT freelist_count FROM pragma_freelist_count")
        assert free * file.PAGE_SIZE > 15_000_000
        await seen(path, "SELECT freelist_count < 100 FROM pragma_freelist_count")
        assert asked(path, "SELECT group_concat(state) FROM job") == "failed,sending"
        stopping.set()
        await keeping
    assert path.stat().st_size < 5_000_000
    assert path.with_name("spool.db-wal").exists() is False


# The states on the disk.

WRONG = {
    "a queued job without a time": "state = 'queued', due = NULL",
    "a queued job with an end": "state = 'queued', due = 1, ended_at = 1",
    "a job being sent with a time": "state = 'sending', due = 1",
    "a sent job without a message id": "state = 'sent', due = NULL, ended_at = 1",
    "a sent job without an end": "state = 'sent', due = NULL, message_id = 'x'",
    "a failed job without a reply": "state = 'failed', due = NULL, ended_at = 1",
    "a failed job with a time": "state = 'failed', due = 1, ended_at = 1, reply = 'x'",
    "a superseded job without an end": "state = 'superseded', due = NULL",
    "an unknown state": "state = 'held'",
    "a waiting job without a content": "content = NULL",
    "a failed job without a content": (
        "state = 'failed', due = NULL, ended_at = 1, reply = 'x', content = NULL"
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_the_file_itself_refuses(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
        await queue.put([job(queue)])
    connection = file.opened(path, write=True)
    try:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"UPDATE job SET {WRONG[wrong]}")
        assert rows.job(connection.execute(rows.SELECT).fetchone()).state
    finally:
        connection.close()


# What it costs.

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO content SELECT i, x'78' FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO job (seq, id, number, content, size, sender, recipients, options, usage,
  choice, voids, valid_for, report, accepted_at, expires_at, state, attempts,
  maybe_sent, due, ended_at, reply, message_id)
SELECT i, 'k' || i, 0, iif(i % 3 = 2, NULL, i), 1, 'a@b.example', '["c@d.example"]',
  '{{}}', '', '{{}}', iif(i % 3 = 2, 'SignIn' || char(10) || 'c@d.example', NULL),
  iif(i % 5 = 0, 600, NULL), 0, {now} - 1000 + i * 1e-6,
  {now} + 1000 + i * 1e-6, iif(i % 3 = 2, 'sent', 'queued'), 1, 0,
  iif(i % 3 = 2, NULL, {now} + {due} + i * 1e-6), iif(i % 3 = 2, {now}, NULL),
  '451 4.4.1 SES cannot be reached', iif(i % 3 = 2, 'x', NULL) FROM n;
"""


async def _steps(path: Path, *, waiting: int, due: float) -> dict[str, int]:
    """What a spool of `waiting` mails costs per move, in steps of SQLite's machine."""
    with lock.owned(path):
        connection = file.connect(path)
        try:
            queue = SqliteQueue(
                connection, path, keep_sent=KEEP, keep_failed=KEEP, lanes=Lanes()
            )
            text = FILL.format(rows=waiting, now=queue.now(), due=due)
            connection.executescript(f"BEGIN; {text} COMMIT;")
            await queue.house.take_back()
            costs: dict[str, int] = {}
            done = 0

            def step() -> int:
                nonlocal done
                done += 1
                return 0

            connection.set_progress_handler(step, 10)

            async def cost(name: str, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
                nonlocal done
                done = 0
                result = await work
                costs[name] = done * 10
                return result

            code = Choice("SignIn", "SignIn", supersedes=True)
            claims, _ = await cost("put", queue.put([job(queue, Sending(1))]))
            await cost("put code", queue.put([job(queue, choice=code)]))
            await cost("settle", queue.settle(claims[0], Sent(1, queue.now(), "x")))
            await cost("claim", queue.claim(20, size=10_000))
            claims, _ = await queue.put([job(queue, Sending(1))])
            await cost("defer", queue.settle(claims[0], Queued(9, queue.now() + 50)))
            await cost("expired", queue.expired(50))
            connection.set_progress_handler(None, 0)
            await queue.close()
            return costs
        finally:
            connection.close()


@pytest.mark.parametrize("due", [-100.0, 100.0], ids=["all due", "none due"])
async def test_a_move_costs_the_same_however_much_waits(
    tmp_path: Path, due: float
) -> None:
    # With a million waiting mails a put took 170 ms once, and takes 1 ms now: that is
    # steps of the machine that runs SQL, which no other load of this one changes.
    few = await _steps(tmp_path / "few.db", waiting=3_000, due=due)
    many = await _steps(tmp_path / "many.db", waiting=60_000, due=due)
    grown = {
        name: (few[name], many[name])
        for name in few
        if many[name] > 2 * few[name] + 500
    }
    assert grown == {}


async def test_a_start_on_a_large_spool_reads_no_mail(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    connection = file.connect(path)
    text = FILL.format(rows=60_000, now=1e9, due=0)
    connection.executescript(f"BEGIN; {text} COMMIT;")
    plans: list[str] = []
    connection.set_trace_callback(plans.append)
    queue = SqliteQueue(
        connection, path, keep_sent=KEEP, keep_failed=KEEP, lanes=Lanes()
    )
    await queue.house.take_back()
    connection.set_trace_callback(None)
    scans = [
        (statement, row["detail"])
        for statement in plans
        if statement.startswith(("SELECT", "UPDATE job", "DELETE"))
        for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        if row["detail"].startswith("SCAN job") and "INDEX" not in row["detail"]
    ]
    assert scans == []
    assert queue.figures().waiting == 40_000
    await queue.close()
    connection.close()


async def test_a_copy_of_the_file_that_a_crash_left_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    left = tmp_path / "left"
    left.mkdir()
    async with open_spool(path, keep_sent=KEEP, keep_failed=KEEP) as queue:
        for number in range(50):
            await queue.put([job(queue, content=b"%d" % number)])
        # What a crash leaves: the file and its log as they are now, without the -shm.
        for name in ("spool.db", "spool.db-wal"):
            shutil.copy(tmp_path / name, left / name)
    async with open_spool(left / "spool.db", keep_sent=KEEP, keep_failed=KEEP) as queue:
        claims = await queue.claim(99, size=10_000)
    assert [one.job.mail.content for one in claims] == [b"%d" % n for n in range(50)]


async def test_a_reader_holds_up_no_stop(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=1, keep_failed=1) as queue:
        await queue.put([job(queue, Queued(0, queue.now()))])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM job").fetchone()
        await queue.put([job(queue, Queued(0, queue.now()))])
        begun = time.monotonic()
    assert time.monotonic() - begun < 10  # for as long it would wait for the reader
    reader.close()
    async with open_spool(path, keep_sent=1, keep_failed=1) as queue:
        assert queue.figures().waiting == 2


@pytest.mark.parametrize(
    ("words", "code"), [("serve", 2), ("queue list", 2), ("check", 1)]
)
def test_a_working_directory_that_is_not_there_is_told_and_no_traceback(
    tmp_path: Path, words: str, code: int
) -> None:
    settings = {
        "RELAY_TRANSPORT": "capture",
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
        "RELAY_WEB__LISTEN": "",
    }
    gone = tmp_path / "gone"
    gone.mkdir()
    leave = f'rmdir "$PWD"; exec {sys.executable} -m relay {words}'
    found = subprocess.run(
        ["sh", "-c", leave],
        cwd=gone,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    said = found.stdout + found.stderr
    assert (found.returncode, "Traceback" in said) == (code, False), said
    assert "queue.path = relay-spool.db: " in said
