"""A client that waits for SES' answer, and what its calls came to in time.

Who hears what because of it is decided in `queued`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from relay.model.outcome import Outcome


class AwaitedCall:
    """One call of the client's mail, and what came of it in time."""

    __slots__ = ("attempts", "outcome", "undecided")

    def __init__(self) -> None:
        self.outcome: Outcome | None = None  # None: none while the client waited
        self.attempts = 1
        # SES refused the mail, and what becomes of it is decided after the wait.
        self.undecided = False


class WaitingClient:
    """A client that waits for all calls of its mail, at most until a deadline.

    `left` tells whether nobody is there any more to hear the reply.
    """

    def __init__(self, calls: int, left: Callable[[], bool]) -> None:
        self.left = left
        self.calls = [AwaitedCall() for _ in range(calls)]
        self.waiting = True
        self._under_way = calls
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def call_ended(self) -> None:
        """Tell that one of the calls ended."""
        self._under_way -= 1
        if not self._under_way:
            self._end()

    async def wait(self, seconds: float) -> None:
        """Return when all calls have ended, or after `seconds`."""
        # asyncio.wait() does the same, and costs each mail more.
        timer = asyncio.get_running_loop().call_later(seconds, self._end)
        try:
            await self._over
        finally:
            timer.cancel()
            self.waiting = False

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
