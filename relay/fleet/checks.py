"""What AWS says of queues and bucket, for `relay check --online`; no mail is touched.

Objects are written below the prefix and deleted, and one hint of no mail is sent.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from relay.fleet import permissions
from relay.fleet.aws import EXPECTED, FleetSettings, Unusable, asked, said_of
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.clients import clients
from relay.fleet.connect import connected
from relay.fleet.events import named
from relay.fleet.service import Service
from relay.fleet.trial import trial
from relay.queue import Unwritable

FORTNIGHT = 14 * 86_400
LEAST_RECEIVES = 5  # SQS counts receives that nobody got
LIFECYCLE = 57  # days: sent 30 days later, given up after 13, kept 14


class Line(NamedTuple):
    """One thing that was found: ok, warning or problem."""

    level: Literal["ok", "warning", "problem"]
    text: str


async def checks(settings: FleetSettings) -> list[Line]:
    """Ask about the queue, then about the bucket."""
    try:
        async with clients(settings) as (s3, sqs):
            return [
                *await _queue(Bell(sqs, settings.url)),
                *await _bucket(s3, settings),
            ]
    except Unusable as error:
        return [Line("problem", f"queue: {error}")]


async def checks_of_events(settings: FleetSettings) -> list[Line]:
    """Ask about the queue of SES' events; one message at most is seen, and stays."""
    try:
        async with connected(settings) as (_, bell):
            found = await _events(bell)
    except Unusable as error:
        found = [Line("problem", str(error))]
    return [Line(level, named(text)) for level, text in found]


async def _events(bell: Bell) -> list[Line]:
    try:
        found = await bell.attributes("All")
        await bell.receive(1, wait=0, visibility=0)
    except Unwritable as error:
        return [Line("problem", f"queue.url: {error}")]
    lines = [Line("ok", f"queue.url: {bell.url}")]
    for call in (bell.may_forget, bell.may_hide):
        try:
            await call()
        except Unwritable as error:
            if "ReceiptHandle" not in str(error):  # it may, and there is none such
                lines.append(Line("problem", f"queue.url: {error}"))
    if not found.get("RedrivePolicy"):
        text = "queue.url: has no dead-letter queue, so that what is no event of SES"
        lines.append(Line("warning", f"{text} comes again and again; give it one"))
    return lines


async def _queue(bell: Bell) -> list[Line]:
    denied = permissions.Tried()
    found: dict[str, str] = {}

    async def ask() -> None:
        found.update(await bell.attributes("All"))

    try:
        looks = await denied.may("sqs:GetQueueAttributes on the queue", ask)
        tried = await permissions.of_queue(bell)
    except Unwritable as error:
        return [Line("problem", f"queue.url: {error}")]
    missing = [*denied.missing, *tried.missing]
    lines = [Line("problem", f"queue.url: {one}") for one in missing]
    if looks:
        lines += _attributes(bell.url, found)
    return [*lines, *(Line("ok", f"queue.url: {one}") for one in tried.found)]


def _attributes(url: str, found: Mapping[str, str]) -> list[Line]:
    lines = [Line("ok", f"queue.url: {url}")]
    if found.get("FifoQueue") == "true":
        text = "queue.url: is a FIFO queue, which holds up all mail behind one"
        lines.append(Line("problem", f"{text}; make a standard queue"))
    if (kept := int(found.get("MessageRetentionPeriod", 0))) < FORTNIGHT:
        text = f"queue.url: keeps messages for {kept} s"
        lines.append(Line("warning", f"{text}; set its retention to {FORTNIGHT}"))
    lines.append(_dead_letters(found.get("RedrivePolicy", "")))
    return lines


def _dead_letters(policy: str) -> Line:
    try:
        most = int(json.loads(policy)["maxReceiveCount"])
    except (ValueError, TypeError, KeyError):
        text = "queue.url: has no dead-letter queue, so that what cannot be sent comes"
        return Line("warning", f"{text} again and again; give it one")
    if most < LEAST_RECEIVES:
        text = f"queue.url: its dead-letter queue takes a message after {most} receives"
        return Line("warning", f"{text}, which SQS may count by itself; set 20")
    return Line("ok", f"queue.url: dead-letter queue after {most} receives")


async def _bucket(s3: Service, settings: FleetSettings) -> list[Line]:
    bucket = Bucket(s3, settings.bucket, settings.prefix)
    try:
        tried = await permissions.of_bucket(bucket)
        wrong = "" if tried.missing else await trial(bucket)
    except Unwritable as error:
        return [Line("problem", f"queue.bucket: {error}")]
    if tried.missing:
        return [Line("problem", f"queue.bucket: {one}") for one in tried.missing]
    if wrong:
        return [Line("problem", f"queue.bucket = {settings.bucket!r}: {wrong}")]
    text = f"queue.bucket: {settings.bucket}, conditional writes below"
    lines = [Line("ok", f"{text} {settings.prefix}")]
    lines += await _versioning(s3)
    lines += await _lifecycle(s3, settings)
    return lines


async def _versioning(s3: Service) -> list[Line]:
    found = await _told(
        lambda: s3.call("GetBucketVersioning"), "s3:GetBucketVersioning"
    )
    if isinstance(found, Line):
        return [found]
    if found.get("Status") == "Enabled":
        text = "queue.bucket: keeps versions, so that mail that was deleted stays there"
        return [Line("warning", f"{text}; turn versioning off")]
    return []


async def _lifecycle(s3: Service, settings: FleetSettings) -> list[Line]:
    found = await _told(
        lambda: s3.call("GetBucketLifecycleConfiguration"),
        "s3:GetLifecycleConfiguration",
    )
    if isinstance(found, Line):
        return [found]
    days = [
        rule["Expiration"]["Days"]
        for rule in found.get("Rules", ())
        if rule.get("Status") == "Enabled" and "Days" in rule.get("Expiration", {})
        if not _prefix(rule).startswith(f"{settings.prefix}newest/")
        and settings.prefix.startswith(_prefix(rule))
    ]
    if not days:
        text = "queue.bucket: no lifecycle rule deletes what is left over"
        return [Line("warning", f"{text}; add one of {LIFECYCLE + 3} days")]
    if min(days) < LIFECYCLE:
        text = f"queue.bucket: a lifecycle rule deletes after {min(days)} days, which"
        return [Line("problem", f"{text} may be mail; set {LIFECYCLE + 3}")]
    return [Line("ok", f"queue.bucket: lifecycle of {min(days)} days")]


def _prefix(rule: dict[str, Any]) -> str:
    within = rule.get("Filter") or {}
    inner = within.get("And") or within
    return str(inner.get("Prefix", rule.get("Prefix", "")))


async def _told(
    make: Callable[[], Awaitable[Any]], permission: str
) -> dict[str, Any] | Line:
    """An answer, {} where there is none, or that it is not known."""

    async def refusable() -> Any:  # noqa: ANN401
        try:
            return await make()
        except ClientError as error:
            code, status, _ = said_of(error)
            if status == 404:
                return {}
            if status == 403:
                cure = f"grant {permission} to let this check look"
                return Line(
                    "warning", f"queue.bucket: not known, access denied; {cure}"
                )
            return Line("warning", f"queue.bucket: {permission}: {status} {code}")

    try:
        found: dict[str, Any] | Line = await asked(permission, refusable)
    except (Unwritable, *EXPECTED) as error:
        return Line("warning", f"queue.bucket: {error}")
    return found
