"""A short run of the crash program, as part of the suite."""

from __future__ import annotations

from pathlib import Path

from tests.crash.run import Plan, run


async def test_a_relay_that_is_killed_loses_nothing_and_repeats_only_what_nobody_saw(
    tmp_path: Path,
) -> None:
    verdict = await run(Plan(seed=1, rounds=4), tmp_path)
    assert verdict.faults == []
    assert verdict.figures["rounds"] == 4
    # It was a run that could have shown something.
    assert verdict.figures["250 Ok"] > 0
    assert verdict.figures["250 queued"] > 0
    assert verdict.figures["killed"] > 0
