"""`relay queue`, as an operator runs it: beside a running relay, and on its own."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.cli import main
from tests.fake_ses import FakeSes, error
from tests.server.disks import fill, remount, tmpfs
from tests.server.relay_process import WAIT, RelayProcess, environment, until
from tests.server.spool import DAY, calls, failed, mail, one_of_each, put, spool
from tests.server.test_life import MAIL, relay_command
from tests.server.test_queue_replies import queued_as, spooling, states
from tests.server.test_traps import submit, with_relay

DENIED = error("AccessDeniedException", 403, "not authorized to ses:SendRawEmail")
KEYS = [
    *("id", "state", "usage", "account", "sender", "recipients", "size", "attempts"),
    *("acceptedAt", "due", "lastReply", "maybeSent", "priority", "rule", "messageId"),
]


def at(directory: Path) -> dict[str, str]:
    return {"RELAY_QUEUE__PATH": str(directory / "spool.db")}


def queue_command(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return relay_command("queue", *words, settings=at(directory), cwd=directory)


def answer(directory: Path, *words: str) -> Any:  # noqa: ANN401 - any JSON
    """What a command that works prints with --json."""
    found = queue_command(directory, *words, "--json")
    assert (found.returncode, found.stderr) == (0, "")
    return json.loads(found.stdout)


def ids(directory: Path, *words: str) -> list[str]:
    return [one["id"] for one in answer(directory, "list", *words)]


# Beside a running relay.


async def test_a_running_relay_sends_what_is_retried(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> tuple[str, dict[str, Any]]:
        mail_id, _ = queued_as(submit(relay, MAIL)[1])
        until(lambda: states(tmp_path) == ["queued"])
        shown: dict[str, Any] = answer(tmp_path, "show", mail_id)
        done = queue_command(tmp_path, "retry", mail_id)
        assert (done.returncode, done.stdout) == (0, "retried 1 mail\n")
        until(lambda: states(tmp_path) == ["sent"])
        return mail_id, shown

    async with FakeSes(DENIED) as ses:
        settings = spooling(tmp_path, RELAY_QUEUE__SLOW_DELAYS="[600]")
        mail_id, shown = await with_relay(ses, use, **settings)
        assert len(ses.sent) == 2
    assert list(shown) == KEYS
    accepted = datetime.fromisoformat(shown.pop("acceptedAt"))
    due = datetime.fromisoformat(shown.pop("due"))
    assert abs(datetime.now(UTC) - accepted).total_seconds() < 60
    assert 400 < (due - accepted).total_seconds() < 800
    assert shown == {
        "id": mail_id,
        "state": "queued",
        "usage": "",
        "account": "default",
        "sender": "a@b.example",
        "recipients": ["c@d.example"],
        "size": len(MAIL),
        "attempts": 1,
        "lastReply": "554 5.7.1 Access denied",
        "maybeSent": False,
        "priority": "normal",
        "rule": "",
        "messageId": None,
    }


async def test_a_running_relay_never_sends_what_is_dropped(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> None:
        first, _ = queued_as(submit(relay, MAIL)[1])
        second, _ = queued_as(submit(relay, MAIL)[1])
        until(lambda: states(tmp_path) == ["queued", "queued"])
        assert queue_command(tmp_path, "drop", first).stdout == "dropped 1 mail\n"
        queue_command(tmp_path, "retry", "--all")
        until(lambda: states(tmp_path) == ["sent"])
        assert ids(tmp_path) == [second]
        assert relay.stop() == 0

    async with FakeSes(DENIED, DENIED) as ses:
        settings = spooling(tmp_path, RELAY_QUEUE__SLOW_DELAYS="[600]")
        await with_relay(ses, use, **settings)
        assert len(ses.sent) == 3


async def test_new_mail_is_kept_while_a_full_spool_is_retried(tmp_path: Path) -> None:
    kept = 0
    async with spool(tmp_path / "spool.db") as queue:
        for _ in range(20):
            await put(queue, *calls(200, 1))
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "relay", "queue", "retry"),
            *("--recipient", "example.com"),
            env=environment(at(tmp_path)),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        ended = asyncio.create_task(command.communicate())
        while not ended.done():
            # Raises where the command holds the file for longer than SQLite waits.
            await put(queue, mail("new@other.example"))
            kept += 1
        output, _ = await ended
        due = await queue.claim(5000, size=10**9)
    assert output == b"retried 20 mails (4000 calls)\n"
    assert len(due) == 4000
    assert kept > 20


# On a stopped one.


async def test_a_list_shows_a_mail_in_each_state(tmp_path: Path) -> None:
    by_state = await one_of_each(tmp_path / "spool.db")

    found = answer(tmp_path, "list")

    assert {one["state"]: one["id"] for one in found} == by_state
    assert all(list(one) == KEYS for one in found)
    assert [one["messageId"] for one in found if one["state"] == "sent"] == ["0100-abc"]
    assert {one["state"] for one in found if one["due"]} == {"queued"}


@pytest.mark.parametrize(
    ("words", "states"),
    [
        (["--state", "failed"], ["failed"]),
        (["--state", "failed", "--state", "sent"], ["sent", "failed"]),
        (["--usage", "SignIn"], ["queued"]),
        (["--usage", ""], ["failed", "sending"]),
        (["--recipient", "BOB@Mail.Example"], ["failed"]),
        (["--recipient", "example.com"], ["superseded", "sent", "queued", "sending"]),
        (["--recipient", "@mail.example"], ["failed"]),
        (["--recipient", "ample.com"], []),
        (["--older-than", "1d"], ["failed"]),
        (["--older-than", "30m"], ["failed", "queued"]),
        (["--newer-than", "30m"], ["superseded", "sent", "sending"]),
        (["--older-than", "30m", "--newer-than", "1d12h"], ["queued"]),
        (["--limit", "2"], ["superseded", "sent"]),
        (["--recipient", "example.com", "--state", "queued"], ["queued"]),
    ],
)
async def test_filters_have_to_match_all(
    tmp_path: Path,
    words: list[str],
    states: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    await one_of_each(tmp_path / "spool.db")
    file = tmp_path / "settings.toml"
    file.write_text('[queue]\npath = "spool.db"\n')
    assert main(["queue", "list", "--json", "-c", str(file), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in found] == states


async def test_neither_content_nor_subject_is_ever_shown(tmp_path: Path) -> None:
    by_state = await one_of_each(tmp_path / "spool.db")
    for words in (["list"], ["show", *by_state.values()], ["retry", "--all"]):
        for json_too in ([], ["--json"]):
            found = queue_command(tmp_path, *words, *json_too)
            assert found.returncode == 0
            assert "424242" not in found.stdout + found.stderr


async def test_the_table_fits_80_columns_and_a_usage_cannot_steer_the_terminal(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        await put(
            queue,
            mail(
                f"{'x' * 60}@example.com", "b@example.com", usage="\x1b[2J" + "y" * 90
            ),
        )
    found = queue_command(tmp_path, "list")
    assert "\x1b" not in found.stdout
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert " +1" in found.stdout


async def test_show_tells_usage_expiry_and_options(tmp_path: Path) -> None:
    by_state = await one_of_each(tmp_path / "spool.db")
    found = queue_command(tmp_path, "show", by_state["queued"])
    facts = dict(
        line.strip().split(": ", 1) for line in found.stdout.splitlines() if ":" in line
    )
    facts = {name: text.strip() for name, text in facts.items()}
    assert facts["template"] == "SignIn"
    assert facts["tags"] == "usage=SignIn"
    assert facts["given up at"].endswith("(in 3d)")


async def test_the_calls_of_one_mail_go_by_its_id(tmp_path: Path) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        one = await put(queue, *calls(3))
        other = await put(queue, *calls(2))
    assert [
        len(answer(tmp_path, "show", one)),
        type(answer(tmp_path, "show", one)),
    ] == [
        3,
        list,
    ]
    done = queue_command(tmp_path, "drop", one)
    assert (done.returncode, done.stdout) == (0, "dropped 1 mail (3 calls)\n")
    assert ids(tmp_path) == [other, other]


async def test_the_content_goes_with_the_last_call_that_needs_it(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        first, second = calls(2)
        await put(queue, first, second)

    def contents() -> int:
        connection = sqlite3.connect(tmp_path / "spool.db")
        (number,) = connection.execute("SELECT count(*) FROM content").fetchone()
        connection.close()
        return int(number)

    assert contents() == 1
    queue_command(tmp_path, "drop", "--recipient", first.envelope.recipients[0])
    assert contents() == 1
    queue_command(tmp_path, "drop", "--recipient", second.envelope.recipients[0])
    assert contents() == 0


async def test_failed_mail_gets_its_whole_time_again_and_keeps_its_attempts(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        long = await put(queue, mail(), age=5 * DAY, end=failed(queue))
        short = await put(
            queue,
            mail(valid_for=600.0),
            age=5 * DAY,
            end=failed(queue, maybe_sent=True),
        )

    done = answer(tmp_path, "retry", "--state", "failed")

    assert [one["id"] for one in done] == [long, short]
    assert [one["state"] for one in done] == ["queued", "queued"]
    assert [one["attempts"] for one in done] == [3, 3]
    assert [one["maybeSent"] for one in done] == [False, True]
    assert [one["lastReply"] for one in done] == ["554 5.7.1 Access denied"] * 2
    async with spool(tmp_path / "spool.db") as queue:
        claims = await queue.claim(10, size=10**9)
        lives = [claim.job.expires_at - queue.now() for claim in claims]
    assert lives == [
        pytest.approx(345_600, abs=60),
        pytest.approx(600, abs=60),
    ]


@pytest.mark.parametrize("command", ["retry", "drop"])
@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("sending", "is being sent"),
        ("sent", "was sent"),
        ("superseded", "was superseded by newer mail"),
    ],
)
async def test_what_cannot_be_moved_says_why(
    tmp_path: Path, command: str, state: str, why: str
) -> None:
    by_state = await one_of_each(tmp_path / "spool.db")
    before = answer(tmp_path, "list")

    found = queue_command(tmp_path, command, by_state[state])

    assert (found.returncode, found.stdout) == (1, "")
    assert f"{by_state[state]}: cannot {command}: {why}" in found.stderr
    assert answer(tmp_path, "list") == before


async def test_a_code_is_not_retried_after_a_newer_one_has_taken_its_place(
    tmp_path: Path,
) -> None:
    code = mail(usage="SignIn", supersedes=True)
    async with spool(tmp_path / "spool.db") as queue:
        older = await put(queue, code, end=failed(queue))
        newer = await put(queue, code, end=failed(queue))
    found = queue_command(tmp_path, "retry", older, newer)
    assert found.returncode == 1
    assert f"{older}: cannot retry: newer mail" in found.stderr
    assert found.stdout == "retried 1 mail\n"
    assert ids(tmp_path, "--state", "queued") == [newer]


async def test_an_unknown_id_is_exit_code_1_and_the_others_are_served(
    tmp_path: Path,
) -> None:
    by_state = await one_of_each(tmp_path / "spool.db")
    for command in ("show", "retry", "drop"):
        found = queue_command(tmp_path, command, "nosuchmail")
        assert (found.returncode, found.stdout) == (1, "")
        assert found.stderr == f"relay queue {command}: nosuchmail: no such mail\n"
    found = queue_command(tmp_path, "drop", "nosuchmail", by_state["failed"])
    assert (found.returncode, found.stdout) == (1, "dropped 1 mail\n")


async def test_nothing_is_moved_unless_it_is_said_what(tmp_path: Path) -> None:
    await one_of_each(tmp_path / "spool.db")
    before = answer(tmp_path, "list")
    for words in (["retry"], ["drop"], ["drop", "--yes"], ["retry", "--recipient", ""]):
        found = queue_command(tmp_path, *words)
        assert found.returncode == 2
        assert "Give IDs, filters, or --all" in found.stderr
    found = queue_command(tmp_path, "drop", "--all")
    assert found.returncode == 2
    assert "that is 2 mails" in found.stderr
    assert "--yes" in found.stderr
    assert answer(tmp_path, "list") == before
    found = queue_command(tmp_path, "drop", "--all", "--yes")
    assert (found.returncode, found.stdout) == (0, "dropped 2 mails\n")


@pytest.mark.parametrize(("said", "left"), [("n\n", 2), ("\n", 2), ("y\n", 0)])
async def test_on_a_terminal_more_than_one_is_dropped_after_a_yes(
    tmp_path: Path, said: str, left: int
) -> None:
    await one_of_each(tmp_path / "spool.db")
    code = await asyncio.to_thread(drop_all_on_a_terminal, tmp_path, said)
    assert code == (1 if left else 0)
    movable = ids(tmp_path, "--state", "queued", "--state", "failed")
    assert len(movable) == left


def drop_all_on_a_terminal(directory: Path, said: str) -> int:
    with on_a_terminal(directory, "drop", "--all") as (process, terminal):
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(terminal, 1000)
        assert b"Drop 2 mails" in asked
        os.write(terminal, said.encode())
        return process.wait(timeout=WAIT)


@contextmanager
def on_a_terminal(
    directory: Path, *words: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command with stdin and stderr on a terminal, and that terminal."""
    ours, its = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "relay", "queue", *words],
            cwd=directory,
            env=environment(at(directory)),
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=its,
        ) as process:
            yield process, ours
    finally:
        os.close(ours)
        os.close(its)


async def test_long_work_has_a_bar_on_a_terminal_and_none_off_it(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        for _ in range(5):
            await put(queue, *calls(200, 1))

    def retry() -> tuple[bytes, bytes]:
        with on_a_terminal(tmp_path, "retry", "--all") as (process, terminal):
            seen = b""
            while not seen.endswith(b"\x1b[K"):
                seen += os.read(terminal, 1000)
            output, _ = process.communicate(timeout=WAIT)
            return seen, output

    seen, output = await asyncio.to_thread(retry)
    assert seen.startswith(b"\r[" + b"." * 30 + b"] 1 of 1,000")
    assert output == b"retried 5 mails (1000 calls)\n"
    off = queue_command(tmp_path, "retry", "--all")
    assert (off.stdout, off.stderr) == ("retried 5 mails (1000 calls)\n", "")


async def test_a_spool_as_a_crash_left_it_is_shown(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> str:
        mail_id, _ = queued_as(submit(relay, MAIL)[1])
        until(lambda: states(tmp_path) == ["queued"])
        relay.process.kill()
        relay.wait()
        assert (tmp_path / "spool.db-wal").stat().st_size
        (tmp_path / "spool.db-shm").unlink()
        return mail_id

    async with FakeSes(DENIED) as ses:
        settings = spooling(tmp_path, RELAY_QUEUE__SLOW_DELAYS="[600]")
        mail_id = await with_relay(ses, use, **settings)
    assert ids(tmp_path) == [mail_id]
    assert queue_command(tmp_path, "drop", mail_id).returncode == 0


def test_without_a_queue_or_a_spool_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[queue]\nengine = "none"\n')
    found = relay_command("queue", "list", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert 'queue.engine = "none"' in found.stderr

    (tmp_path / "config.toml").unlink()

    found = relay_command("queue", "list", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert "no such file; no relay has run with it" in found.stderr

    for content in (
        b"not a database at all, but long enough to be looked at" * 50,
        b"",
    ):
        (tmp_path / "spool.db").write_bytes(content)
        found = queue_command(tmp_path, "list")
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr.startswith(f"queue.path = {tmp_path / 'spool.db'}: ")
        assert "Traceback" not in found.stderr


@pytest.mark.parametrize("crashed", [False, True])
async def test_a_spool_on_a_read_only_disk_is_shown_and_not_moved(
    tmp_path: Path, crashed: bool
) -> None:
    """A file system that was mounted read-only to save what is on it."""
    with tmpfs(tmp_path / "disk", size="64m") as disk:
        if crashed:
            async with spool(tmp_path / "spool.db") as queue:
                await put(queue, mail())
                for name in ("spool.db", "spool.db-wal"):
                    shutil.copy(tmp_path / name, disk / name)
            assert (disk / "spool.db-wal").stat().st_size
        else:
            async with spool(disk / "spool.db") as queue:
                await put(queue, mail())
        remount(disk, "ro")
        listed = queue_command(disk, "list", "--json")
        moved = queue_command(disk, "retry", "--all")
    cure = "its disk is read-only: copy the file, with its -wal, to another"
    if crashed:
        assert (listed.returncode, listed.stdout) == (2, "")
        assert cure in listed.stderr
    else:
        assert [one["state"] for one in json.loads(listed.stdout)] == ["queued"]
    assert (moved.returncode, moved.stdout) == (2, "")
    assert cure in moved.stderr


async def test_on_a_full_disk_the_command_says_so_and_half_of_nothing_is_done(
    tmp_path: Path,
) -> None:
    with tmpfs(tmp_path / "disk", size="64m") as disk:
        async with spool(disk / "spool.db") as queue:
            for _ in range(300):
                await put(queue, mail(), end=failed(queue))
        fill(disk)
        for free, code in ((0, 2), (100_000, 1)):
            os.truncate(disk / "filler", (disk / "filler").stat().st_size - free)
            found = queue_command(disk, "retry", "--all")
            assert (found.returncode, found.stdout) == (code, "")
            assert found.stderr.endswith("make room on its disk\n")
        (disk / "filler").unlink()
        done = queue_command(disk, "retry", "--all")
        assert done.stdout == "retried 300 mails\n"


async def test_a_default_setup_needs_no_settings(tmp_path: Path) -> None:
    await one_of_each(tmp_path / "relay-spool.db")
    found = relay_command("queue", "list", "--json", cwd=tmp_path)
    assert len(json.loads(found.stdout)) == 5


async def test_letters_that_a_terminal_lacks_are_no_reason_to_fail(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        await put(queue, mail(usage="Вход"))
    settings = {**at(tmp_path), "PYTHONIOENCODING": "ascii"}
    found = relay_command("queue", "list", settings=settings, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert " ???? " in found.stdout


def test_a_reader_that_has_seen_enough_is_no_traceback(tmp_path: Path) -> None:
    asyncio.run(one_of_each(tmp_path / "spool.db"))
    with subprocess.Popen(
        [sys.executable, "-m", "relay", "queue", "list"],
        cwd=tmp_path,
        env=environment(at(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
