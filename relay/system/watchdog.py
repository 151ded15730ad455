"""Tells systemd that the loop still turns, where the unit asks for it by WatchdogSec=.

See sd_watchdog_enabled(3). Who hears nothing for so long ends the relay, and starts it
again.
"""

from __future__ import annotations

import asyncio
import os

from relay.system import process

# So often within the time that systemd waits.
_TIMES = 3


class Watchdog:
    """Says so until told to stop; systemd asks no more once it stops the relay."""

    name = "watchdog"

    def __init__(self, every: float) -> None:
        self._every = every

    async def run(self, stopping: asyncio.Event) -> None:
        """Say so again and again."""
        while not stopping.is_set():
            process.notify("WATCHDOG=1")
            try:
                async with asyncio.timeout(self._every):
                    await stopping.wait()
            except TimeoutError:
                continue


def asked_for() -> Watchdog | None:
    """The one that systemd asks this process for."""
    within = os.environ.get("WATCHDOG_USEC", "")
    whose = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not within.isdecimal() or not int(within) or whose != str(os.getpid()):
        return None
    return Watchdog(int(within) / 1_000_000 / _TIMES)
