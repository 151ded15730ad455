"""A fleet's queue for tests that know when mail has to be there, and all its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from botocore.exceptions import FlexibleChecksumError

from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.aws import FleetSettings
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.open import open_queue
from relay.fleet.service import Service
from relay.fleet.sqs import SqsQueue
from relay.model.job import Job
from relay.queue import Claim
from tests.fleet.emulators import client


class WatchedBell(Bell):
    """Knows which messages were told to come again later."""

    def __init__(self, service: Service, url: str) -> None:
        super().__init__(service, url)
        self.left: set[str] = set()

    def hide(self, receipt: str, seconds: float) -> None:
        self.left.add(receipt)
        super().hide(receipt, seconds)


class PatientQueue(SqsQueue):
    """Claims when all hints that can be received are here."""

    def __init__(self, bucket: Bucket, bell: Bell, **given: Any) -> None:  # noqa: ANN401 - SqsQueue's
        self.watched = WatchedBell(bell._service, bell.url)
        super().__init__(bucket, self.watched, **given)

    async def claim(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None = None,
        unmarked: Collection[int] = (),
    ) -> Sequence[Claim]:
        await self.quiet()
        return await super().claim(limit, size=size, lanes=lanes, unmarked=unmarked)

    async def quiet(self) -> None:
        """Wait until SQS has nothing more to give."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        )
        while True:
            await self.bell.drained()
            found = await self.bell.attributes(*names)
            visible, hidden = (int(found[name]) for name in names)
            known = {hold.receipt for hold in self._held.values() if hold.receipt}
            known |= self.watched.left
            if not visible and hidden <= len(known) + len(self._here):
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def patient_queue(
    place: FleetSettings, *, accounts: Sequence[str] = ("",)
) -> AsyncIterator[PatientQueue]:
    """One that runs until the context ends."""
    async with open_queue(place, accounts=accounts, made=PatientQueue) as queue:
        assert isinstance(queue, PatientQueue)
        stopping = asyncio.Event()
        running = asyncio.create_task(queue.run(stopping))
        try:
            yield queue
        finally:
            stopping.set()
            await running


def in_bucket(place: FleetSettings, names: Sequence[str] | None = None) -> list[Job]:
    """Jobs of a bucket by their ids, as somebody else reads them: all, or some."""
    s3 = client(place.endpoint_url, "s3")
    if names is None:
        names = [key.rpartition("/")[2] for key in objects(place, "mail/")]
    found = [_job(s3, place, name) for name in sorted(names)]
    return [one for one in found if one is not None]


def _job(s3: Any, place: FleetSettings, name: str) -> Job | None:  # noqa: ANN401
    """A job as it is; None: it went meanwhile."""
    try:
        record = records.read(_object(s3, place, keys.mail_key(name)))
        job = record.job
        if record.shared:
            content = _object(s3, place, keys.content_key(job.id))
            job = job._replace(mail=replace(job.mail, content=content))
    except s3.exceptions.NoSuchKey:
        return None
    stands = record.standing
    try:
        stands = records.standing(_object(s3, place, keys.state_key(name)))
    except s3.exceptions.NoSuchKey:
        pass
    return job._replace(state=stands.state)


def objects(place: FleetSettings, folder: str = "") -> list[str]:
    """The keys below the prefix."""
    pages = client(place.endpoint_url, "s3").get_paginator("list_objects_v2")
    return [
        one["Key"].removeprefix(place.prefix)
        for page in pages.paginate(Bucket=place.bucket, Prefix=place.prefix + folder)
        for one in page.get("Contents", ())
    ]


def _object(s3: Any, place: FleetSettings, key: str) -> bytes:  # noqa: ANN401
    """Raises NoSuchKey, also where the emulator kept a PUT of which a kill cut off the
    body: S3 keeps none that its checksum does not fit."""
    found = s3.get_object(Bucket=place.bucket, Key=place.prefix + key)
    try:
        body: bytes = found["Body"].read()
    except FlexibleChecksumError:
        error = {"Error": {"Code": "NoSuchKey", "Message": key}}
        raise s3.exceptions.NoSuchKey(error, "GetObject") from None
    return body
