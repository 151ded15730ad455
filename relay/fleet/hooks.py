"""What endpoints are to be told, in the bucket, for a fleet (docs/fleet.md).

What is new is one object for each endpoint before `keep` returns, and in memory, where
it is told from. An object goes when all in it have ended. Those of a relay that is gone
are taken over by another one: first copied, then deleted, so that what may be lost is
told twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from relay import log
from relay.fleet import hook_object, keys
from relay.fleet.bucket import Bucket, Listed
from relay.fleet.hook_batches import AT_ONCE, Batches
from relay.fleet.hook_owners import EVERY, PATIENCE, Owners, Seen
from relay.fleet.record import Later as Newer
from relay.fleet.together import together
from relay.model.hook import MOST, OLDEST, Hook, Later
from relay.queue import Unwritable
from relay.queue.rows import Unreadable


class BucketHooks:
    """A `HookStore` in the bucket, by the clock `now`, which `unix` makes Unix time.

    `run` keeps it in order. No call is made before `open` or `keep`.
    """

    lasts = True

    def __init__(
        self,
        bucket: Bucket,
        *,
        now: Callable[[], float],
        unix: Callable[[float], float],
        most: int = MOST,
        every: float = EVERY,
        patience: float = PATIENCE,
    ) -> None:
        self.now = now
        self._bucket = bucket
        self._unix = unix
        self._most = most
        self._every = every
        self._owners = Owners(bucket, now=now, every=every, patience=patience)
        self._batches = Batches(
            bucket, self._owners, now=now, ahead=lambda: unix(0.0), most=most
        )
        self._memory = self._batches.memory
        self._left: set[str] = set()  # keys of what only another release can read
        self._endpoints: dict[str, str] = {}  # names by what stands for them in keys
        self._on_come: Callable[[], None] = lambda: None
        self._begun = asyncio.Event()

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many this relay has, by endpoint."""
        return self._memory.waiting

    def serve(self, endpoints: Collection[str], on_come: Callable[[], None]) -> None:
        """Which endpoints there are: what is for others is not taken over."""
        self._endpoints = {keys.endpoint_id(name): name for name in endpoints}
        self._on_come = on_come

    async def open(self) -> None:
        """Tell others that this relay is there; `run` takes over. Raises Unwritable."""
        await self._owners.say()
        self._begun.set()

    async def keep(
        self,
        new: Sequence[Hook],
        *,
        ended: Collection[Hook] = (),
        later: Collection[Later] = (),
    ) -> Mapping[str, int]:
        """Keep what is new, forget what ended, put off what failed.

        Gives how many had to go for want of room, by endpoint. Raises Unwritable, and
        then nothing of it is done. What has ended is deleted some time later.
        """
        if new:
            self._begun.set()
            await self._batches.write(new)
        gone, self._batches.crowded = self._batches.crowded, Counter()
        await self._memory.keep((), ended=ended, later=later)
        return +gone

    async def first(self, endpoint: str, limit: int) -> Sequence[Hook]:
        """Those of an endpoint that come first, due or not."""
        return await self._memory.first(endpoint, limit)

    async def expire(self, before: float) -> int:
        """Forget what came before a moment; give how many."""
        return await self._memory.expire(before)

    async def leave(self, endpoint: str) -> int:
        """Forget what is of an endpoint here; give how many."""
        return await self._memory.leave(endpoint)

    async def run(self) -> None:
        """Delete what has ended, and take over what nobody has, until cancelled."""
        await self._begun.wait()
        looked = said = float("-inf")
        while True:
            try:
                async with asyncio.timeout(max(looked + self._every - self.now(), 0.0)):
                    await self._batches.some.wait()
            except TimeoutError:
                pass
            self._batches.some.clear()
            works = [self._batches.delete]
            if self.now() - looked >= self._every:
                looked = self.now()
                works.append(self.look)
            for work in works:
                try:
                    await work()
                except Unwritable as error:
                    if self.now() - said >= self._every:
                        said = self.now()
                        detail = str(error)
                        log.line(
                            logging.WARNING, "webhooks not in order", detail=detail
                        )

    async def look(self) -> None:
        """Take over what nobody has, and put together what is left of many batches.

        Without an endpoint nothing is asked. Raises Unwritable.
        """
        if not (self._endpoints or self._batches):
            return
        known, last = self._batches.known()
        seen = await self._owners.look()
        own = [one.key for one in seen.batches.get(self._owners.own, ())]
        if count := await self._batches.compare(own, known, last):
            log.line(logging.WARNING, "webhook events taken from here", events=count)
        for owner in seen.gone:
            await self._take_over(owner, seen)
        await self._batches.put_together(before=self.now() - self._every)

    async def close(self) -> None:
        """Leave what waits to others, who may have it at once; nobody may keep more.

        Raises Unwritable.
        """
        if not self._begun.is_set():
            return
        await self._batches.put_together(before=float("inf"))
        await self._batches.delete()
        if self._batches:
            await self._owners.free(self._owners.own)
        else:
            await self._owners.forget(self._owners.own)

    async def _take_over(self, owner: str, seen: Seen) -> None:
        there = seen.batches.get(owner, [])
        if not there:
            await self._owners.forget(owner)
            return
        mine = [one for one in there if self._is_for_here(one, seen.now)]
        if not mine or not await self._owners.claim(owner):
            return
        events = 0
        for start in range(0, len(mine), AT_ONCE):
            events += await self._take(mine[start : start + AT_ONCE], seen.now)
        if events:
            log.line(logging.INFO, "webhook events taken over", events=events)
            self._on_come()
        if len(mine) == len(there) and self._left.isdisjoint(one.key for one in mine):
            await self._owners.forget(owner)
        else:
            await self._owners.free(owner)

    def _is_for_here(self, one: Listed, now: float) -> bool:
        """Whether it is to be taken over, or so old that anybody may delete it."""
        if one.modified < now - OLDEST:
            return True
        endpoint = self._endpoints.get(keys.endpoint_of(one.key))
        if endpoint is None or one.key in self._left:
            return False
        return self.waiting.get(endpoint, 0) < self._most

    async def _take(self, some: Sequence[Listed], now: float) -> int:
        """Take over what is in some objects; give how many events that are."""
        old = [one.key for one in some if one.modified < now - OLDEST]
        young = [one.key for one in some if one.key not in old]
        found = await together(map(self._read, young))
        oldest = self.now() - OLDEST
        hooks = [hook for read in found for hook in read if hook.at >= oldest]
        await self._batches.write(hooks)
        self._left.difference_update(old)
        over = [one.key for one in some if one.key not in self._left]
        await together(map(self._bucket.delete, over))
        return len(hooks)

    async def _read(self, key: str) -> list[Hook]:
        found = await self._bucket.get(key, size=hook_object.MOST_CHARACTERS)
        if found is None:
            return []
        try:
            return hook_object.read(found.body, ahead=self._unix(0.0), now=self.now())
        except (Newer, Unreadable) as error:
            self._left.add(key)
            log.line(
                logging.ERROR,
                "webhook events left alone",
                object=key,
                detail=f"{error!r}: another release may know them; delete the object "
                "if none does",
            )
            return []
