"""How many bytes of large mail are worked on at once.

A mail that is taken apart, made anew and encoded for SES is in memory several times,
so what may be received is more than what may be worked on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LargeMailLimit:
    """Lets mails in while their bytes together stay below the limit, one always."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = asyncio.Condition()

    def take(self, limit: int) -> None:
        """Go on by another limit; who waits hears of it when somebody leaves."""
        self._limit = limit

    @asynccontextmanager
    async def entered(self, size: int, *, before: float) -> AsyncIterator[None]:
        """Be inside with `size` bytes; TimeoutError when not let in by then.

        `before` is a time of the running loop's clock.
        """
        async with asyncio.timeout_at(before), self._changed:
            await self._changed.wait_for(
                lambda: not self._used or self._used + size <= self._limit
            )
            self._used += size
        try:
            yield
        finally:
            self._used -= size
            async with self._changed:
                self._changed.notify_all()
