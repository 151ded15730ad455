"""How much work still holds on to what is to be taken away."""

from __future__ import annotations

import asyncio


class Use:
    """Counts who holds on to something; work in hand may bring in more of itself."""

    __slots__ = ("_count", "_ended")

    def __init__(self) -> None:
        self._count = 0
        self._ended: asyncio.Event | None = None  # few are ever waited for

    def enter(self) -> None:
        """Hold on to it."""
        self._count += 1

    def leave(self) -> None:
        """Let go of it."""
        self._count -= 1
        if not self._count and self._ended is not None:
            self._ended.set()

    async def ended(self) -> None:
        """Wait until nobody holds on to it; nobody may come who was not there."""
        if self._count:
            self._ended = asyncio.Event()
            await self._ended.wait()
