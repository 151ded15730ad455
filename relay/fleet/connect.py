"""The bucket and the bell of some settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relay.fleet.aws import FleetSettings
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.clients import clients


@asynccontextmanager
async def connected(settings: FleetSettings) -> AsyncIterator[tuple[Bucket, Bell]]:
    """Both, asked nothing yet. Raises Unusable."""
    async with clients(settings) as (s3, sqs):
        yield (
            Bucket(s3, settings.bucket, settings.prefix),
            Bell(sqs, settings.url),
        )
