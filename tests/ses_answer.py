"""An answer of SES that a test gives when it likes, as a transport waits for it."""

from __future__ import annotations

import asyncio

from relay.model.outcome import Accepted, Outcome
from relay.system.handover import Wait


class SesAnswer:
    """What one call of SES comes to.

    `at_hand`: its client waits for it in its own task, until it may take longer.
    """

    def __init__(self, *, at_hand: bool) -> None:
        loop = asyncio.get_running_loop()
        self._later: asyncio.Future[Outcome] = loop.create_future()
        self._now = _Now(self._later) if at_hand else None

    def set_result(self, outcome: Outcome) -> None:
        """Answer."""
        if self._now is not None and not self._now.done():
            if isinstance(outcome, Accepted):
                self._now.set_result(outcome)
                return
            self._now.give_up()
        self._later.set_result(outcome)

    async def came(self) -> Outcome:
        """Wait for it."""
        outcome = await (self._later if self._now is None else self._now)
        if isinstance(outcome, asyncio.Future):
            outcome = await outcome
        came: Outcome = outcome
        return came


class _Now(Wait):
    def __init__(self, later: asyncio.Future[Outcome]) -> None:
        super().__init__()
        self._later = later

    def _after(self) -> object:
        return self._later
