"""One of AWS' services, asked by the SDK's names for calls and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from botocore import xform_name


class Service(Protocol):
    """S3 with one bucket, or SQS with one queue, which no call has to name."""

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK's
        """Make a call; its answer, a `Body` as bytes.

        Raises ClientError for an answer that refuses; what else may fail is in
        relay/fleet/aws.py.
        """
        ...


class Unasked:
    """In S3's place where no bucket is named, and a queue alone is asked."""

    async def call(self, operation: str, **_: Any) -> dict[str, Any]:  # noqa: ANN401
        """Refuse: whoever asks has a bucket."""
        raise ValueError(f"{operation}: no bucket is named")


class SdkService:
    """By the SDK's client: where our own connections do not lead, as by a proxy."""

    def __init__(self, client: Any, given: Mapping[str, str]) -> None:  # noqa: ANN401 - the SDK has no types
        self._client = client
        self._given = given

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK's
        """Make a call, as the SDK makes it."""
        method = getattr(self._client, xform_name(operation))
        answer: dict[str, Any] = await method(**self._given, **parameters)
        if operation == "GetObject":
            async with answer["Body"] as stream:
                answer["Body"] = await stream.read()
            answer["HTTPHeaders"] = answer["ResponseMetadata"]["HTTPHeaders"]
        return answer
