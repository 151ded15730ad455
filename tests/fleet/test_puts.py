"""Many puts at once."""

from __future__ import annotations

import asyncio
import statistics

from relay.fleet.aws import FleetSettings
from relay.fleet.open import open_queue
from tests.fleet.emulators import Emulator
from tests.fleet.jobs import job

AT_ONCE = 100
ROUNDS = 5  # at most: a machine that stalls between two puts parts what came together


async def hints_of_a_call(place: FleetSettings) -> float:
    """How many hints each call of so many puts carried, as a mean."""
    async with open_queue(place) as queue:
        puts = [queue.put([job(queue)]) for _ in range(AT_ONCE)]
        await asyncio.gather(*puts, return_exceptions=True)
        return statistics.mean(queue.bell.batch_sizes or [0])


async def test_hints_of_puts_at_once_share_calls(emulator: Emulator) -> None:
    found: list[float] = []
    while len(found) < ROUNDS and max(found, default=0.0) < 8:
        found.append(await hints_of_a_call(emulator.place()))
    assert max(found) >= 8, found
