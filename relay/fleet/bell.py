"""The bell: hints by SQS, sent, received and deleted in batches."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from relay import log
from relay.fleet.aws import CALL, asked, trouble
from relay.fleet.batches import Batches
from relay.fleet.service import Service
from relay.queue import Unwritable

LONGEST_DELAY = 900  # seconds: SQS' limit
WAIT = 20  # seconds of a long poll: SQS' limit
COMPANY = 0.02  # seconds that a delete waits for others
_NUMBER = re.compile(r"[0-9]{1,18}")
_NOBODYS = "none"  # a receipt that no message has
_GROUP = 128  # characters of a message group


class Sent(NamedTuple):
    """A hint to send: its text, in how many seconds, and whose turn it is."""

    text: str
    delay: float
    group: str


class Received(NamedTuple):
    """A message; `sent_at` is Unix time."""

    receipt: str
    text: str
    sent_at: float
    receives: int


class Counts(NamedTuple):
    """How much is in the queue, about."""

    waiting: int
    hidden: int


class Bell:
    """The queue at `url`; methods raise Unwritable, but for those that say so."""

    def __init__(self, service: Service, url: str) -> None:
        self._service = service
        self.url = url
        self._sends = Batches(self._send)
        self._deletes = Batches(self._delete, company=COMPANY)
        self._hides = Batches(self._hide, company=COMPANY)
        self._beside: set[asyncio.Task[None]] = set()

    @property
    def batch_sizes(self) -> Sequence[int]:
        """How many hints the latest calls carried."""
        return self._sends.sizes

    async def send(self, text: str, *, delay: float, group: str) -> None:
        """Send a hint that can be received in `delay` seconds, at most 900."""
        await self._sends.do(Sent(text, delay, group))

    def forget(self, receipt: str) -> None:
        """Delete a message, beside what comes next; else it comes again.

        Raises nothing.
        """
        self._do_beside(self._deletes.do(receipt))

    def hide(self, receipt: str, seconds: float) -> None:
        """Have a message come again in `seconds`. Raises nothing."""
        self._do_beside(self._hides.do((receipt, seconds)))

    async def receive(
        self, limit: int, *, wait: int = WAIT, visibility: float
    ) -> list[Received]:
        """Wait for messages, at most `wait` seconds."""

        async def make() -> Any:  # noqa: ANN401
            return await self._service.call(
                "ReceiveMessage",
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=wait,
                VisibilityTimeout=round(visibility),
                MessageSystemAttributeNames=[
                    "SentTimestamp",
                    "ApproximateReceiveCount",
                ],
            )

        answer = await _answered("ReceiveMessage", make, seconds=wait + CALL)
        return [_received(message) for message in answer.get("Messages") or ()]

    async def may_forget(self) -> None:
        """Raise Unwritable where deleting is not granted; nothing is deleted."""
        await self._delete([_NOBODYS])

    async def may_hide(self) -> None:
        """The same for hiding; nothing is hidden."""
        await self._hide([(_NOBODYS, 0)])

    async def counts(self) -> Counts:
        """How much is in the queue, about."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        )
        found = await self.attributes(*names)
        ready, delayed, hidden = (_number(found.get(name), 0) for name in names)
        return Counts(ready + delayed, hidden)

    async def attributes(self, *names: str) -> dict[str, str]:
        """What the queue says of itself."""

        async def make() -> Any:  # noqa: ANN401
            return await self._service.call(
                "GetQueueAttributes", AttributeNames=list(names)
            )

        answer = await _answered("GetQueueAttributes", make)
        return dict(answer.get("Attributes") or {})

    async def drained(self) -> None:
        """Wait for what is done beside."""
        while self._beside:
            await asyncio.wait(self._beside)
        for batches in (self._sends, self._deletes, self._hides):
            await batches.drained()

    def _do_beside(self, work: Coroutine[Any, Any, None]) -> None:
        async def done() -> None:
            try:
                await work
            except Unwritable as error:
                log.line(logging.DEBUG, "hint comes again", detail=str(error))

        task = asyncio.create_task(done())
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    # The calls.

    async def _send(self, hints: Sequence[Sent]) -> Sequence[Exception | None]:
        entries = [
            {
                "Id": str(number),
                "MessageBody": text,
                "DelaySeconds": max(0, min(round(delay), LONGEST_DELAY)),
                "MessageGroupId": _group(group),
            }
            for number, (text, delay, group) in enumerate(hints)
        ]
        return await self._batch("SendMessageBatch", entries)

    async def _delete(self, receipts: Sequence[str]) -> Sequence[Exception | None]:
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt}
            for number, receipt in enumerate(receipts)
        ]
        return await self._batch("DeleteMessageBatch", entries)

    async def _hide(
        self, some: Sequence[tuple[str, float]]
    ) -> Sequence[Exception | None]:
        entries = [
            {
                "Id": str(number),
                "ReceiptHandle": receipt,
                "VisibilityTimeout": max(0, min(round(seconds), 43_200)),
            }
            for number, (receipt, seconds) in enumerate(some)
        ]
        return await self._batch("ChangeMessageVisibilityBatch", entries)

    async def _batch(
        self, call: str, entries: Sequence[dict[str, Any]]
    ) -> Sequence[Exception | None]:
        """Make a call whose entries have each their own end."""
        left = {entry["Id"]: entry for entry in entries}
        failed: dict[str, Exception] = {}
        for _ in range(2):

            async def make(
                some: Sequence[dict[str, Any]] = tuple(left.values()),
            ) -> Any:  # noqa: ANN401
                return await self._service.call(call, Entries=list(some))

            answer = await _answered(call, make)
            for one in answer.get("Successful") or ():
                left.pop(one["Id"], None)
                failed.pop(one["Id"], None)
            for one in answer.get("Failed") or ():
                text = f"{call}: {one.get('Code')}"
                failed[one["Id"]] = Unwritable(text, RuntimeError(text))
                if one.get("SenderFault"):
                    left.pop(one["Id"], None)
            if not left:
                break
        for number in left:
            text = f"{call}: not done"
            failed.setdefault(number, Unwritable(text, RuntimeError(text)))
        return [failed.get(entry["Id"]) for entry in entries]


async def _answered(
    call: str, make: Callable[[], Awaitable[Any]], *, seconds: float = CALL
) -> Any:  # noqa: ANN401
    try:
        return await asked(call, make, seconds=seconds)
    except ClientError as error:
        raise trouble(call, error) from error


def _received(message: dict[str, Any]) -> Received:
    attributes = message.get("Attributes") or {}
    return Received(
        message["ReceiptHandle"],
        message.get("Body", ""),
        _number(attributes.get("SentTimestamp"), 0) / 1000,
        _number(attributes.get("ApproximateReceiveCount"), 1),
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and _NUMBER.fullmatch(text) else otherwise


def _group(name: str) -> str:
    """A usage as the name of a message group, which is printable ASCII."""
    kept = "".join(c if "!" <= c <= "~" else "_" for c in name)
    return kept[:_GROUP] or "-"
