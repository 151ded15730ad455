"""A clock that jumps both ways, while the relay runs and between two runs.

A small library changes what the relay's process sees of the wall clock, and no more.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.queue.admin import open_ledger
from relay.queue.selection import Selection
from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_queue_disk import spooled, states, submit
from tests.server.tools import need

SOURCE = Path(__file__).with_name("wall_clock.c")
AHEAD = struct.Struct("=q")
DAY = 86_400
QUEUED = b"2.0.0 queued as "
TEMPLATES = [
    {
        "usageType": "SignIn",
        "subject": "x",
        "content": "<p>y</p>",
        "validFor": 600,
    }
]


class WallClock:
    """What the relay takes for the time; `set` makes it jump."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._file.write_bytes(bytes(AHEAD.size))
        self._library = directory / "wall_clock.so"
        command = [need("gcc", "gcc libc6-dev"), "-shared", "-fPIC", "-O2", "-Wall"]
        command += ["-Werror", "-o", os.fspath(self._library), os.fspath(SOURCE)]
        subprocess.run(command, check=True)

    def set(self, seconds: int) -> None:
        """Put the clock that far from the real one."""
        with self._file.open("r+b") as file:  # the relay has it mapped
            file.write(AHEAD.pack(seconds))

    @property
    def environment(self) -> dict[str, str]:
        """For the process that shall see it."""
        return {
            "LD_PRELOAD": os.fspath(self._library),
            "WALL_CLOCK": os.fspath(self._file),
        }


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def settings_of(ses: FakeSes, directory: Path, clock: WallClock) -> dict[str, str]:
    return {
        **spooled(ses, directory),
        **clock.environment,
        "RELAY_QUEUE__RETRY_DELAYS": "[1]",
        "RELAY_TEMPLATES": json.dumps(TEMPLATES),
        "RELAY_WITHOUT_USAGE": "SignIn",
    }


def deferred(ses: FakeSes, relay: RelayProcess) -> None:
    """Have SES throttle a mail, which then waits for a second."""
    ses.answers.append(error("TooManyRequestsException", 429, "Rate exceeded"))
    code, text = submit(relay.port(), "late")
    assert (code, text[: len(QUEUED)]) == (250, QUEUED)


async def on(ses: FakeSes, work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)
    assert ses.answers == type(ses.answers)()


async def test_a_clock_that_is_set_ahead_and_back_holds_no_mail_and_ends_none(
    tmp_path: Path, clock: WallClock
) -> None:
    async with FakeSes() as ses:
        settings = settings_of(ses, tmp_path, clock)

        def work() -> None:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                deferred(ses, relay)
                clock.set(DAY)
                step = relay.event("clock was set")
                assert step["seconds"] == pytest.approx(DAY, abs=5)
                until(lambda: states(tmp_path) == ["sent"])
                # And back, with the next mail under way.
                deferred(ses, relay)
                clock.set(0)
                until(lambda: states(tmp_path) == ["sent", "sent"])
                assert relay.stop() == 0

        await on(ses, work)


async def test_a_clock_that_was_set_while_the_relay_ran_ends_no_mail_after_a_restart(
    tmp_path: Path, clock: WallClock
) -> None:
    async with FakeSes() as ses:
        settings = settings_of(ses, tmp_path, clock)
        settings["RELAY_QUEUE__RETRY_DELAYS"] = "[600]"

        def work() -> None:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                deferred(ses, relay)
                clock.set(DAY)
                relay.event("clock was set")
                assert relay.stop() == 0
            assert states(tmp_path) == ["queued"]
            # Due, and its end as far away as it was.
            with open_ledger(tmp_path / "spool.db", write=True) as ledger:
                assert len(list(ledger.retry(Selection(), give_up_after=1))) == 1
            with running_relay("-c", os.devnull, settings=settings):
                until(lambda: states(tmp_path) == ["sent"])

        await on(ses, work)


async def test_a_clock_that_was_set_back_after_a_crash_holds_no_mail(
    tmp_path: Path, clock: WallClock
) -> None:
    async with FakeSes() as ses:
        settings = settings_of(ses, tmp_path, clock)

        def work() -> None:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                deferred(ses, relay)
                relay.process.kill()
                relay.wait()
            clock.set(-DAY)
            with running_relay("-c", os.devnull, settings=settings) as relay:
                until(lambda: states(tmp_path) == ["sent"])
                # New mail is no older than the one that waited, and waits no longer.
                deferred(ses, relay)
                until(lambda: states(tmp_path) == ["sent", "sent"])

        await on(ses, work)
