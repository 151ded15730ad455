"""A short run of the crash program, as part of the suite."""

from __future__ import annotations

from pathlib import Path

from tests.crash import steps
from tests.crash.run import Plan, run
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
