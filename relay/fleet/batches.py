"""Calls that take several entries: all that comes while one is under way shares one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

E = TypeVar("E")

AT_ONCE = 10  # entries of one call: SQS' limit
CALLS = 2  # under way at once


class Batches(Generic[E]):
    """Hands entries to `call`, which gives what each came to; None: it is done.

    A call waits `company` seconds for more entries.
    """

    def __init__(
        self,
        call: Callable[[Sequence[E]], Awaitable[Sequence[Exception | None]]],
        *,
        company: float = 0.0,
    ) -> None:
        self._call = call
        self._company = company
        self._waiting: list[tuple[E, asyncio.Future[None]]] = []
        # A task that has ended is among those that run for one more turn of the loop,
        # and whoever comes in that turn would wait for nobody.
        self._calls = 0
        self._running: set[asyncio.Task[None]] = set()
        self.sizes: list[int] = []  # of the latest calls

    async def do(self, entry: E) -> None:
        """Have it done; raises what its part of the call came to."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._calls < CALLS and (not self._calls or len(self._waiting) >= AT_ONCE):
            self._calls += 1
            task = asyncio.create_task(self._work())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        await done

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.wait(self._running)

    async def _work(self) -> None:
        try:
            await self._all()
        finally:
            self._calls -= 1

    async def _all(self) -> None:
        if self._company:
            await asyncio.sleep(self._company)
        while self._waiting:
            some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            self.sizes = [*self.sizes[-99:], len(some)]
            ends: Sequence[Exception | None]
            try:
                ends = await self._call([entry for entry, _ in some])
            except Exception as error:  # noqa: BLE001 - it belongs to who waits
                ends = [error] * len(some)
            for (_, done), end in zip(some, ends, strict=True):
                if done.done():  # who waited has left
                    continue
                if end is None:
                    done.set_result(None)
                else:
                    done.set_exception(end)
