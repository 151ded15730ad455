"""The bucket: objects put on a condition, read, listed and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from relay.fleet.aws import BYTES_PER_SECOND, CALL, asked, trouble
from relay.fleet.service import Service

ANYTHING = None  # put whatever is there
LINE_BYTES = 16_384  # in which the first line of a record nearly always ends


class Found(NamedTuple):
    """An object; `age` are the seconds since it was written, by the store's clock."""

    etag: str
    body: bytes
    age: float


class Listed(NamedTuple):
    """An object in a list; `modified` is Unix time."""

    key: str
    size: int
    modified: float


class Bucket:
    """Objects under `prefix`; each method raises Unwritable.

    One retry is inside each call: what was put may have been put twice.
    """

    def __init__(self, service: Service, name: str, prefix: str) -> None:
        self._service = service
        self.name = name
        self.prefix = prefix

    async def put(
        self, key: str, body: bytes, *, match: str | None = ANYTHING
    ) -> str | None:
        """Write an object, and give its tag; None: what is there is not what was meant.

        `match` is the tag of the object that it replaces, "" for none.
        """
        condition: dict[str, str] = {}
        if match is not None:
            condition = {"IfMatch": match} if match else {"IfNoneMatch": "*"}

        async def make() -> str:
            answer = await self._service.call(
                "PutObject", Key=self.prefix + key, Body=body, **condition
            )
            return str(answer["ETag"])

        try:
            return await asked("PutObject", make, seconds=_seconds(len(body)))
        except ClientError as error:
            if match is None:
                raise trouble("PutObject", error) from error
            return None

    async def get(
        self, key: str, *, first: int | None = None, size: int = 0
    ) -> Found | None:
        """Read an object of about `size`, or its `first` bytes; None: there is none."""
        part = {} if first is None else {"Range": f"bytes=0-{first - 1}"}

        async def make() -> Found:
            answer = await self._service.call(
                "GetObject", Key=self.prefix + key, **part
            )
            age = _age(answer["HTTPHeaders"])
            return Found(str(answer["ETag"]), answer["Body"], age)

        try:
            return await asked("GetObject", make, seconds=_seconds(size))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise trouble("GetObject", error) from error

    async def line(self, key: str) -> Found | None:
        """Read as much of an object as its first line needs; None: there is none."""
        found = await self.get(key, first=LINE_BYTES)
        if found is None or b"\n" in found.body or len(found.body) < LINE_BYTES:
            return found
        return await self.get(key, size=LINE_BYTES)

    async def delete(self, key: str) -> None:
        """Delete an object, if it is there."""

        async def make() -> Any:  # noqa: ANN401
            return await self._service.call("DeleteObject", Key=self.prefix + key)

        try:
            await asked("DeleteObject", make)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise trouble("DeleteObject", error) from error

    async def pages(
        self, folder: str, *, after: str = "", at_once: int = 1000
    ) -> AsyncIterator[list[Listed]]:
        """The objects whose keys begin so, in the order of their keys."""
        more: dict[str, str] = {}
        if after:
            more = {"StartAfter": self.prefix + after}
        while True:

            async def make(more: dict[str, str] = more) -> Any:  # noqa: ANN401
                return await self._service.call(
                    "ListObjectsV2",
                    Prefix=self.prefix + folder,
                    MaxKeys=at_once,
                    **more,
                )

            try:
                answer = await asked("ListObjectsV2", make, seconds=3 * CALL)
            except ClientError as error:
                raise trouble("ListObjectsV2", error) from error
            yield [
                Listed(
                    one["Key"].removeprefix(self.prefix),
                    one["Size"],
                    one["LastModified"].timestamp(),
                )
                for one in answer.get("Contents", ())
            ]
            token = answer.get("NextContinuationToken")
            if not answer.get("IsTruncated") or not token:
                return
            more = {"ContinuationToken": token}

    async def has_any(self, folder: str) -> bool:
        """Tell whether there is an object whose key begins so."""
        async for page in self.pages(folder, at_once=1):
            return bool(page)
        return False


def _seconds(size: int) -> float:
    return CALL + size / BYTES_PER_SECOND


def _age(headers: dict[str, str]) -> float:
    """How old an object is: both times are of the same clock, the store's."""
    modified = parsedate_to_datetime(headers["last-modified"])
    said = headers.get("date")
    now = parsedate_to_datetime(said) if said else datetime.now(UTC)
    return (now - modified).total_seconds()
