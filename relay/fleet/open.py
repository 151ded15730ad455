"""Opens the queue of a fleet, once for the life of a process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from relay import log
from relay.fleet.aws import FleetSettings, Unusable
from relay.fleet.connect import connected
from relay.fleet.sqs import DAY, SqsQueue
from relay.fleet.watch import Unfit
from relay.queue import Unwritable


@asynccontextmanager
async def open_queue(
    settings: FleetSettings,
    *,
    accounts: Sequence[str] = ("",),
    attempt_timeout: float = 20.0,
    keep_keys: float = DAY,
    keep_failed: float = 14 * DAY,
    made: Callable[..., SqsQueue] = SqsQueue,
) -> AsyncIterator[SqsQueue]:
    """Open it until the context ends.

    Raises Unusable where the bucket does not do what it has to. One that cannot be
    asked now keeps nobody from starting: it is tried again, and no mail is kept before.
    """
    async with connected(settings) as (bucket, bell):
        queue = made(
            bucket,
            bell,
            accounts=accounts,
            attempt_timeout=attempt_timeout,
            keep_keys=keep_keys,
            keep_failed=keep_failed,
        )
        try:
            await queue.watch.try_it()
        except Unfit as error:
            raise Unusable(str(error)) from error
        except Unwritable as error:
            log.line(logging.ERROR, "queue not reached", detail=str(error))
        try:
            yield queue
        finally:
            await queue.close()
