"""The bucket and the bell of some settings: in a loop, and for who has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import TimeoutError as TooLong
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from relay.fleet.aws import FleetSettings, Unusable
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.clients import clients
from relay.queue.file import UnusableSpool

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]  # waits for its end

LONGEST = 600.0  # seconds of one step


@asynccontextmanager
async def connected(settings: FleetSettings) -> AsyncIterator[tuple[Bucket, Bell]]:
    """Both, asked nothing yet. Raises Unusable."""
    async with clients(settings) as (s3, sqs):
        yield (
            Bucket(s3, settings.bucket, settings.prefix),
            Bell(sqs, settings.url),
        )


@contextmanager
def own_loop(settings: FleetSettings) -> Iterator[tuple[Bucket, Bell, Run]]:
    """Both, with a loop of their own, in which the third runs what they are asked.

    Raises UnusableSpool.
    """
    with asyncio.Runner() as runner:
        opened = connected(settings)
        try:
            bucket, bell = runner.run(opened.__aenter__())
        except Unusable as error:
            raise UnusableSpool(str(error)) from error
        try:
            yield bucket, bell, runner.run
        finally:
            runner.run(bell.drained())
            runner.run(opened.__aexit__(None, None, None))


def lent_run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run it in that loop, from another thread. Raises UnusableSpool."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(LONGEST)
    except TooLong as error:
        future.cancel()
        raise UnusableSpool("S3: no answer in time") from error
