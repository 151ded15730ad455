"""The same rounds of a relay whose queue is a fleet's: S3 and SQS by an emulator."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from relay.fleet.aws import FleetSettings
from relay.model.job import Queued, Sending
from tests.crash.run import DRAIN, Plan, Relay, run
from tests.crash.verdict import Verdict
from tests.fleet.emulators import Emulator
from tests.fleet.patient import in_bucket
from tests.server.relay_process import environment

QUEUE = """engine = "sqs"
url = "{place.url}"
bucket = "{place.bucket}"
region = "{place.region}"
endpointUrl = "{place.endpoint_url}\""""

# Seconds in which a lease ends, and all that has a hint is looked at.
LOOKS_AGAIN = 60.0


class FleetRelay(Relay):
    """One life of the relay after the other, on one queue."""

    shares = True
    grace = 20  # an attempt, and then the put, which may take as long as a client waits

    def __init__(
        self, directory: Path, url: str, place: FleetSettings, command: str = "serve"
    ) -> None:
        queue = QUEUE.format(place=place)
        super().__init__(directory, url, queue=queue, command=command)
        self._place = place

    def wait_for_the_last(self) -> int:
        """Wait, and look again as an operator does: what was cut off has no hint."""
        end = time.monotonic() + DRAIN
        looks = time.monotonic() + LOOKS_AGAIN
        while left := self.open_mails():
            if time.monotonic() > end or not self.lives:
                break
            if time.monotonic() > looks:
                self.redrive()
                looks = time.monotonic() + LOOKS_AGAIN
            time.sleep(0.5)
        return left

    def redrive(self) -> None:
        """Have all looked at again, by the command for it."""
        subprocess.run(
            [sys.executable, "-m", "relay", "queue", "redrive", "-c", "config.toml"],
            cwd=self._directory,
            env=environment({}),
            check=False,  # on a slow machine S3 may not answer in time
            capture_output=True,
            timeout=DRAIN,
        )

    def open_mails(self) -> int:
        """How many mails wait or are being sent."""
        found = in_bucket(self._place)
        return sum(isinstance(one.state, Queued | Sending) for one in found)


async def rounds(
    plan: Plan,
    directory: Path,
    emulator: Emulator,
    tell: Callable[[str], None] = lambda line: None,
) -> Verdict:
    """Kill and restart by `plan`; what a kill left is taken over by its next life."""
    place = await asyncio.to_thread(emulator.place)
    return await run(
        plan, directory, tell, lambda url: FleetRelay(directory, url, place)
    )
