"""The batches of one relay's webhooks: objects in the bucket, and all of it in memory.

An object goes when all in it have ended. What is left of many is put together now and
then, so that who takes it over tells few events twice, and finds few objects.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from relay.fleet import hook_object, keys
from relay.fleet.bucket import Bucket
from relay.fleet.hook_owners import Owners
from relay.fleet.together import together
from relay.model.hook import Hook
from relay.queue.memory_hooks import MemoryHooks

AT_ONCE = 20  # calls
SMALL = hook_object.MOST // 2  # a batch of fewer is put together with others


@dataclass(slots=True)
class _Batch:
    """An object: the places of those in it that have not ended."""

    endpoint: str
    events: int  # that were written
    at: float
    places: set[int]


class Batches:
    """Those of `owners.own`; methods that wait raise Unwritable.

    `ahead` is what Unix time is ahead of the clock `now`.
    """

    def __init__(
        self,
        bucket: Bucket,
        owners: Owners,
        *,
        now: Callable[[], float],
        ahead: Callable[[], float],
        most: int,
    ) -> None:
        self.memory = MemoryHooks(now=now, most=most, on_gone=self._gone)
        self.crowded: Counter[str] = Counter()  # that had to go for want of room
        self.some = asyncio.Event()  # there is something to delete
        self._bucket = bucket
        self._owners = owners
        self._now = now
        self._ahead = ahead
        self._number = 0
        self._batches: dict[str, _Batch] = {}  # by key
        self._key_of: dict[int, str] = {}  # by place
        self._writing: set[str] = set()
        self._over: set[str] = set()  # keys of what is to be deleted

    def __len__(self) -> int:
        return len(self._batches)

    async def write(self, hooks: Sequence[Hook]) -> None:
        """Have hooks in the bucket, and then in memory; all or none."""
        parts = list(hook_object.parts(hooks))
        async with self._written(parts) as names:
            for key, part in zip(names, parts, strict=True):
                places = []
                for hook in part:
                    place, crowded = self.memory.add(hook)
                    places.append(place)
                    self.crowded[hook.endpoint] += crowded
                self._place(key, part[0].endpoint, places)

    async def put_together(self, *, before: float) -> None:
        """Write anew what is left of those that were written before a moment."""
        some = [
            one
            for one in self._batches.values()
            if one.at <= before and len(one.places) < max(one.events, SMALL)
        ]
        for endpoint in {one.endpoint for one in some}:
            mine = [one for one in some if one.endpoint == endpoint]
            if len(mine) == 1 and len(mine[0].places) == mine[0].events:
                continue
            hooks = self._in(endpoint, *(one.places for one in mine))
            for part in hook_object.parts(hooks):
                async with self._written([part]) as (key,):
                    self._place(key, endpoint, [hook.place for hook in part])

    async def delete(self) -> None:
        """Delete what is over."""
        while some := [*itertools.islice(self._over, AT_ONCE)]:
            await together(map(self._delete, some))

    def known(self) -> tuple[frozenset[str], int]:
        """What is there for sure, and the last number that was given, for `compare`."""
        return frozenset(self._batches), self._number

    async def compare(
        self, found: Collection[str], known: frozenset[str], last: int
    ) -> int:
        """Follow a list of the keys that begun when this was `known`.

        What is not there any more was taken over by a relay that took this one for
        gone, and tells of it; gives how many events that are. What was not written for
        sure and is there all the same is deleted.
        """
        for key in set(found) - self._batches.keys() - self._writing:
            if keys.number_of(key) <= last:
                self._drop(key)
        count = 0
        for key in known.difference(found) & self._batches.keys():
            batch = self._batches[key]
            hooks = self._in(batch.endpoint, batch.places)
            await self.memory.keep((), ended=hooks)
            count += len(hooks)
        return count

    @asynccontextmanager
    async def _written(
        self, parts: Sequence[Sequence[Hook]]
    ) -> AsyncIterator[list[str]]:
        """Write an object for each part; what is done in it finds them there."""
        await self._owners.be_known()
        names = []
        for part in parts:
            self._number += 1
            names.append(
                keys.batch_key(self._owners.own, part[0].endpoint, self._number)
            )
        self._writing.update(names)
        try:
            await together(
                self._bucket.put(key, hook_object.to_bytes(part, ahead=self._ahead()))
                for key, part in zip(names, parts, strict=True)
            )
            yield names
        except BaseException:
            for key in names:  # it may be there all the same
                self._drop(key)
            raise
        finally:
            self._writing.difference_update(names)

    def _in(self, endpoint: str, *places: Collection[int]) -> list[Hook]:
        ordered = sorted(itertools.chain.from_iterable(places))
        found = [self.memory.at(endpoint, place) for place in ordered]
        return [hook for hook in found if hook is not None]

    def _place(self, key: str, endpoint: str, places: Sequence[int]) -> None:
        """An object has these from now on, as far as they have not ended."""
        alive = {one for one in places if self.memory.at(endpoint, one) is not None}
        for place in alive:
            self._untie(place)
            self._key_of[place] = key
        if alive:
            self._batches[key] = _Batch(endpoint, len(places), self._now(), alive)
        else:
            self._drop(key)

    def _gone(self, hook: Hook) -> None:
        self._untie(hook.place)

    def _untie(self, place: int) -> None:
        key = self._key_of.pop(place, None)
        if key is None:
            return
        batch = self._batches[key]
        batch.places.discard(place)
        if not batch.places:
            del self._batches[key]
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._over.add(key)
        self.some.set()

    async def _delete(self, key: str) -> None:
        await self._bucket.delete(key)
        self._over.discard(key)
