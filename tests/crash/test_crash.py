"""A short run of the crash program, as part of the suite."""

from __future__ import annotations

import smtplib
import socket
import sqlite3
from pathlib import Path

from tests.crash import steps
from tests.crash.lost_writes import ForgetfulDisk
from tests.crash.run import Plan, Relay, run
from tests.server.tools import need


async def test_a_relay_that_is_killed_loses_nothing_and_repeats_only_what_nobody_saw(
    tmp_path: Path,
) -> None:
    verdict = await run(Plan(seed=1, rounds=3), tmp_path)
    assert verdict.faults == []
    assert verdict.figures["rounds"] == 3
    # It was a run that could have shown something.
    assert verdict.figures["250 Ok"] > 0
    assert verdict.figures["250 queued"] > 0
    assert verdict.figures["killed"] > 0


async def test_trap_33_what_was_not_synced_at_the_kill_was_promised_to_nobody(
    tmp_path: Path,
) -> None:
    verdict = await run(Plan(seed=2, rounds=4, lost_writes=True), tmp_path)
    assert verdict.faults == []
    assert verdict.figures["250 queued"] > 0
    assert verdict.figures["killed"] > 0


def test_a_disk_that_no_sync_reaches_loses_what_was_promised(tmp_path: Path) -> None:
    # So that the test above is one that can fail.
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        nobody.close()
        for deaf, kept in ((True, 0), (False, 1)):
            directory = tmp_path / f"{deaf}"
            directory.mkdir()
            disk = ForgetfulDisk(directory, deaf=deaf)
            relay = Relay(directory, url, disk=disk)
            relay.start()
            assert relay.port is not None
            with smtplib.SMTP("127.0.0.1", relay.port, timeout=60) as client:
                client.sendmail("a@b.example", ["c@d.example"], "\r\nx\r\n")
            relay.kill()
            relay.end()
            assert _spooled(directory) == kept


def _spooled(directory: Path) -> int:
    if not (directory / "spool.db").exists():
        return 0
    connection = sqlite3.connect(directory / "spool.db")
    try:
        return int(connection.execute("SELECT count(*) FROM job").fetchone()[0])
    except sqlite3.OperationalError:  # no such table: not even that is there
        return 0
    finally:
        connection.close()


async def test_trap_33_a_mail_survives_a_kill_before_each_step_that_it_takes(
    tmp_path: Path,
) -> None:
    need("strace")
    # All commits; what is said to SES and the client; two of the writes.
    points = {
        "fdatasync": range(1, 99),
        "sendto": range(6, 99),
        "pwrite64": (3, 15),
    }
    verdict = await steps.run(tmp_path, points)
    assert verdict.faults == []
    # Of put, once SES had said no; of claim; and of settle, once it said yes.
    assert verdict.figures["killed before fdatasync"] == 3
    assert verdict.figures["killed before sendto"] >= 2
    assert verdict.figures["killed before pwrite64"] >= 1
