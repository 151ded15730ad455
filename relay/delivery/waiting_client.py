"""A client that waits for SES' answer, and the calls of its mail meanwhile.

Nothing of it is on the disk. Who hears what because of it is decided in `owed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from relay.delivery.attempts import InHand
from relay.delivery.patience import Patience
from relay.model.job import Job
from relay.model.outcome import Accepted, Outcome
from relay.queue import Claim
from relay.system.handover import Wait


class Call(InHand):
    """One call of SES on a mail that its client waits for.

    `outcome` is None while it is under way. `kept` is there once the mail is being
    written with its call under way, and gives the claim, or None where that failed.
    """

    __slots__ = ("kept", "outcome")

    def __init__(self, job: Job) -> None:
        self.job = job  # all here: what is made for each mail costs by its layers
        self.voided = False
        self.outcome: Outcome | None = None
        self.kept: asyncio.Future[Claim | None] | None = None


class WaitingClient:
    """A client that waits for all calls of its mail, at most until a deadline.

    `left` tells whether nobody is there any more to hear the reply; `patience` ends
    the wait.
    """

    __slots__ = ("_over", "_patience", "calls", "left", "under_way")

    def __init__(
        self, jobs: Sequence[Job], left: Callable[[], bool], patience: Patience
    ) -> None:
        self.left = left
        self._patience = patience
        self.calls = list(map(Call, jobs))
        self.under_way = len(self.calls)
        self._over: Wait | None = None  # where somebody waits

    @property
    def message_ids(self) -> tuple[str, ...]:
        """Of the calls that SES took, in their order."""
        return tuple(
            call.outcome.message_id
            for call in self.calls
            if isinstance(call.outcome, Accepted)
        )

    def call_ended(self) -> None:
        """Tell that one of the calls ended."""
        self.under_way -= 1
        over = self._over
        if over is not None and not self.under_way and not over.done():
            over.set_result(None)

    async def wait(self, until: float) -> None:
        """Return when all calls that are `under_way` have ended.

        At the latest at `until` (monotonic).
        """
        self._over = Wait()
        await self._patience.wait(self._over, until)

    async def wait_for_all(self) -> None:
        """Return when all calls have ended, which each does by itself."""
        while self.under_way:
            self._over = Wait()
            await self._over
