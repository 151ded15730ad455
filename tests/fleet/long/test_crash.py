"""A short run of the crash program over a shared queue."""

from __future__ import annotations

from pathlib import Path

from tests.crash import fleet
from tests.crash.run import Plan
from tests.fleet.emulators import Emulator


async def test_a_relay_of_a_fleet_that_is_killed_loses_nothing_either(
    tmp_path: Path, emulator: Emulator
) -> None:
    plan = Plan(seed=4, rounds=2, clients=2)
    verdict = await fleet.rounds(plan, tmp_path, emulator)
    assert verdict.faults == []
    assert verdict.figures["250 queued"] > 0
    assert verdict.figures["killed"] > 0
