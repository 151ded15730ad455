"""The list of suppressed addresses for people: of a bucket, beside all relays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from relay.fleet.aws import FleetSettings
from relay.fleet.bucket import Bucket
from relay.fleet.connect import Run, lent_run, own_loop
from relay.fleet.suppression import AT_ONCE, BucketSuppressions
from relay.model.suppression import Known, Suppressed
from relay.queue import Unwritable
from relay.queue.file import UnusableSpool
from relay.queue.suppression_book import Became, became

T = TypeVar("T")
U = TypeVar("U")


@contextmanager
def open_book(settings: FleetSettings) -> Iterator[BucketSuppressionBook]:
    """Connect with a loop of its own. Raises UnusableSpool, here and in each use."""
    with own_loop(settings) as (bucket, _, run):
        yield BucketSuppressionBook(bucket, run)


@contextmanager
def lent_book(
    bucket: Bucket, loop: asyncio.AbstractEventLoop
) -> Iterator[BucketSuppressionBook]:
    """By the loop of a relay that runs, for a thread beside it."""
    yield BucketSuppressionBook(bucket, partial(lent_run, loop))


class BucketSuppressionBook:
    """A `SuppressionBook` of the bucket; entries are in the order of their hashes."""

    def __init__(self, bucket: Bucket, run: Run) -> None:
        self._listed = BucketSuppressions(bucket, unix=time.time)
        self._run = run

    def number(self) -> int:
        return self._do(self._listed.number())

    def entries(
        self, *, after: str = "", words: str = "", reason: str = ""
    ) -> Iterator[Suppressed]:
        pages = self._listed.entries(start=after)
        while (page := self._do(_next(pages))) is not None:
            for entry in page:
                if words in entry.address and reason in ("", entry.reason):
                    yield entry

    def add(self, entries: Iterable[Suppressed]) -> Iterator[tuple[Suppressed, Became]]:
        async def enter(entry: Suppressed) -> tuple[Suppressed, Became]:
            move = partial(Known.suppressed, entry=entry)
            return entry, became(entry, *await self._listed.move(entry.address, move))

        yield from self._some_at_once(entries, enter)

    def remove(self, addresses: Iterable[str]) -> Iterator[tuple[str, bool]]:
        now = time.time()

        async def take_out(address: str) -> tuple[str, bool]:
            move = partial(Known.removed, at=now)
            before, _ = await self._listed.move(address, move)
            return address, before.entry is not None

        yield from self._some_at_once(addresses, take_out)

    def _some_at_once(
        self, all_of_them: Iterable[T], change: Callable[[T], Coroutine[Any, Any, U]]
    ) -> Iterator[U]:
        async def together(some: list[T]) -> list[U]:
            return list(await asyncio.gather(*map(change, some)))

        rest = iter(all_of_them)
        while some := list(islice(rest, AT_ONCE)):
            yield from self._do(together(some))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            done: T = self._run(work)
        except Unwritable as error:
            raise UnusableSpool(str(error)) from error
        return done


async def _next(pages: AsyncIterator[list[Suppressed]]) -> list[Suppressed] | None:
    return await anext(pages, None)
