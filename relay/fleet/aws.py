"""Where queue and bucket are, and what the errors of their calls mean."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from relay import log
from relay.fleet.wire.caller import KEYS
from relay.queue import Unwritable
from relay.ses.credentials import CREDENTIAL_ERRORS
from relay.ses.http.connection import Broken
from relay.ses.http.pool import Unsent

T = TypeVar("T")

# What AWS advises for small calls: a second one is faster than the rest of the first.
CALL = 2.0
BYTES_PER_SECOND = 10_000_000
RESTS = 0.2  # seconds before a refused call is made again

_REGION_NAME = re.compile(r"[a-z0-9-]{1,40}")
_REGION = re.compile(r"sqs[.-]([a-z0-9-]+)\.(?:api\.)?amazonaws\.|queue\.amazonaws\.")


class Unusable(Exception):  # noqa: N818 - a statement, meant for the operator
    """No queue can be made of these settings; the text names setting and cure."""


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Where queue and bucket are; empty: as AWS' own settings say."""

    url: str
    bucket: str
    prefix: str
    region: str = ""
    endpoint_url: str = field(default="", repr=False)  # it may hold a password
    access_key_id: str = ""
    access_key_secret: str = field(default="", repr=False)


def region_of(url: str) -> str:
    """The region that a queue's url names; "": none."""
    found = _REGION.search(url)
    return (found[1] or "") if found else ""


# What went wrong. Whatever is not in here is a bug, and travels on.

_PERMISSIONS = {
    "PutObject": "s3:PutObject",
    "GetObject": "s3:GetObject, and s3:ListBucket on the bucket",
    "DeleteObject": "s3:DeleteObject",
    "ListObjectsV2": "s3:ListBucket on the bucket",
    "SendMessageBatch": "sqs:SendMessage",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
}
_DENIED = ("AccessDenied", "AccessDeniedException", "403", "Forbidden")
_GONE = {
    "NoSuchBucket": "queue.bucket: there is no such bucket",
    "PermanentRedirect": "queue.bucket: is in {} than queue.region",
    "IllegalLocationConstraintException": "queue.bucket: is in {}",
    "AWS.SimpleQueueService.NonExistentQueue": "queue.url: there is no such queue",
    "QueueDoesNotExist": "queue.url: there is no such queue",
}
_KEYS_CURE = "look at ses.accessKeyId and ses.accessKeySecret, or AWS' own settings"
_CLOCK = ("RequestTimeTooSkewed", "RequestExpired")
_CLOCK_CURE = "the clock of this machine is wrong, set it"
_SLOWER = (
    *("SlowDown", "Throttling", "ThrottlingException", "ThrottledException"),
    *("RequestThrottled", "RequestThrottledException", "RequestLimitExceeded"),
    *("KmsThrottled", "KMS.ThrottlingException", "TooManyRequestsException"),
)
# A call that came twice at once, or one that was too slow.
_AGAIN = ("RequestTimeout", "InternalError", "ServiceUnavailable", *_SLOWER)

EXPECTED = (BotoCoreError, ClientError, Unsent, Broken, OSError, *CREDENTIAL_ERRORS)


def trouble(call: str, error: Exception) -> Unwritable:
    """What failed, in words for the log, with its cure where one is known."""
    if isinstance(error, ClientError):
        code, status, _ = said_of(error)
        if code in _GONE:
            gone = _GONE[code].format(_region_in(error) or "another region")
            return Unwritable(f"{call}: {gone}", error)
        cure = _cure(call, error)
        text = f"{call}: {status} {code}"
        return Unwritable(f"{text}; {cure}" if cure else text, error)
    if isinstance(error, TimeoutError):
        return Unwritable(f"{call}: no answer in time", error)
    lines = log.without_logins(str(error)).splitlines()
    return Unwritable(f"{call}: {(lines or [type(error).__name__])[0][:300]}", error)


def _cure(call: str, error: ClientError) -> str:
    code, status, said = said_of(error)
    if code in _SLOWER:
        return ""
    if code == "AuthorizationHeaderMalformed" and (region := _region_in(error)):
        return f"queue.bucket is in {region} than queue.region"
    if code in _CLOCK or (code in KEYS and _names_the_time(said)):
        return _CLOCK_CURE
    if code in KEYS:
        return _KEYS_CURE
    if code in _DENIED or status == 403:
        if "kms" in said.lower():
            return "grant kms:GenerateDataKey and kms:Decrypt on its key"
        return f"grant {_PERMISSIONS.get(call, call)}"
    return ""


def _names_the_time(said: str) -> bool:
    """Whether a signature was refused for its time, which has no code of its own."""
    return "Signature expired" in said or "Signature not yet current" in said


def _region_in(error: ClientError) -> str:
    """Which region an answer names that is not the one that was asked; "": none."""
    response = error.response
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    found = str(
        response.get("Error", {}).get("Region")
        or headers.get("x-amz-bucket-region", "")
    )
    return f"{found}, another region" if _REGION_NAME.fullmatch(found) else ""


def said_of(error: ClientError) -> tuple[str, int, str]:
    """Code, status and text of an answer that says no."""
    response = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return code, status, str(response.get("Error", {}).get("Message", ""))


def passes(error: Exception) -> bool:
    """Whether the same call may be answered now."""
    if isinstance(error, ParamValidationError):
        return False
    if isinstance(error, ClientError):
        code, status, _ = said_of(error)
        return status >= 500 or status == 429 or code in _AGAIN
    return True


async def asked(
    call: str, make: Callable[[], Awaitable[T]], *, seconds: float = CALL
) -> T:
    """Make a call, and once more where that may help. Raises Unwritable.

    ClientError with a 4xx that is no trouble of the way is the caller's.
    """
    for last in (False, True):
        try:
            async with asyncio.timeout(seconds):
                return await make()
        except EXPECTED as error:
            if isinstance(error, ClientError) and _is_answer(error):
                raise
            if last or not passes(error):
                raise trouble(call, error) from error
        await asyncio.sleep(RESTS)
    raise AssertionError("not reached")


def _is_answer(error: ClientError) -> bool:
    code, status, _ = said_of(error)
    return status in (404, 409, 412) and code not in _GONE
