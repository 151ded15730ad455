"""The queue that a fleet shares, as the settings want it."""

from __future__ import annotations

from contextlib import AsyncExitStack

from relay import config
from relay.app.outlets import longest_attempt, names
from relay.fleet.aws import FleetSettings, Unusable, region_of
from relay.fleet.open import open_queue
from relay.fleet.sqs import SqsQueue
from relay.system.process import CannotStart


def fleet_settings(settings: config.Config) -> FleetSettings:
    """Where queue and bucket are, and by whose keys they are asked: never a role's."""
    queue, ses = settings.queue, settings.ses
    return FleetSettings(
        url=queue.url,
        bucket=queue.bucket,
        prefix=queue.prefix,
        region=queue.region or region_of(queue.url) or ses.region,
        endpoint_url=queue.endpoint_url,
        access_key_id=config.revealed(ses.access_key_id),
        access_key_secret=config.revealed(ses.access_key_secret),
    )


async def fleet_queue(settings: config.Config, stack: AsyncExitStack) -> SqsQueue:
    """Open the queue until the stack ends. Raises CannotStart."""
    try:
        return await stack.enter_async_context(
            open_queue(
                fleet_settings(settings),
                accounts=names(settings),
                attempt_timeout=longest_attempt(settings),
                keep_keys=settings.queue.keep_keys,
                keep_failed=settings.queue.keep_failed,
            )
        )
    except Unusable as error:
        raise CannotStart(f"{settings.file or 'settings'}: {error}") from error
