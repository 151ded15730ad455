"""S3 and SQS in one fast process, for `bench.fleet`: `python -m bench.store DELAY_MS`.

It prints its port, and lives until its input ends. What a relay's queue stands on is
there: conditional writes, 404, long polls, delays, visibility. It keeps all in memory
and checks no signature. Each answer waits DELAY_MS, as one from afar does.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REASONS = {200: b"OK", 204: b"No Content", 404: b"Not Found", 412: b"No", 501: b"No"}
XML = "application/xml"
EMPTY_LIST = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


class Answer:
    """What an HTTP answer consists of."""

    def __init__(
        self, status: int, body: bytes = b"", kind: str = XML, **headers: str
    ) -> None:
        given = {"Content-Type": kind, **headers}
        given["Date"] = formatdate(usegmt=True)
        lines = [f"{name.replace('_', '-')}: {text}" for name, text in given.items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        head = b"HTTP/1.1 %d %b\r\n" % (status, REASONS[status])
        self.whole = head + "\r\n".join(lines).encode() + body


def _error(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode())


class Objects:
    """A bucket."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, str, str]] = {}

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Carry out a call."""
        key, _, query = path.partition("?")
        if "list-type=2" in query:
            return Answer(200, EMPTY_LIST)
        there = self._kept.get(key)
        match method:
            case "PUT":
                if "if-none-match" in headers and there is not None:
                    return _error(412, "PreconditionFailed")
                if "if-match" in headers and there is None:
                    return _error(404, "NoSuchKey")
                if there is not None and headers.get("if-match", there[1]) != there[1]:
                    return _error(412, "PreconditionFailed")
                tag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
                self._kept[key] = body, tag, formatdate(usegmt=True)
                return Answer(200, ETag=tag)
            case "GET":
                if there is None:
                    return _error(404, "NoSuchKey")
                content, tag, at = there
                return Answer(200, content, ETag=tag, Last_Modified=at)
            case "DELETE":
                self._kept.pop(key, None)
                return Answer(204)
        return _error(501, "NotImplemented")


class Messages:
    """A queue."""

    def __init__(self) -> None:
        self._ready: deque[dict[str, Any]] = deque()
        # By their receipts, with what has them come again.
        self._hidden: dict[str, tuple[dict[str, Any], asyncio.TimerHandle]] = {}
        self._came = asyncio.Event()
        self._numbers = itertools.count(1)

    async def answer(self, action: str, asked: Mapping[str, Any]) -> Answer:
        """Carry out a call."""
        entries = asked.get("Entries", [])
        done = [{"Id": one["Id"]} for one in entries]
        match action:
            case "SendMessageBatch":
                for one, end in zip(entries, done, strict=True):
                    body = one["MessageBody"]
                    digest = hashlib.md5(body.encode(), usedforsecurity=False)
                    end["MD5OfMessageBody"] = digest.hexdigest()
                    end["MessageId"] = self._send(body, one.get("DelaySeconds", 0))
            case "ReceiveMessage":
                found = await self._receive(
                    asked["MaxNumberOfMessages"], asked["WaitTimeSeconds"]
                )
                for one in found:
                    self._hide(one, asked["VisibilityTimeout"])
                return _json({"Messages": found} if found else {})
            case "DeleteMessageBatch":
                for one in entries:
                    self._shown(one["ReceiptHandle"])
            case "ChangeMessageVisibilityBatch":
                for one in entries:
                    again = self._shown(one["ReceiptHandle"])
                    if again is not None:
                        self._hide(again, one["VisibilityTimeout"])
            case "GetQueueAttributes":
                return _json({"Attributes": {}})
        return _json({"Successful": done, "Failed": []})

    def _send(self, body: str, delay: float) -> str:
        name = str(next(self._numbers))
        sent = {"SentTimestamp": str(int(time.time() * 1000))}
        sent["ApproximateReceiveCount"] = "1"
        message = {"MessageId": name, "ReceiptHandle": name, "Body": body}
        ready: dict[str, Any] = {**message, "Attributes": sent}
        if delay:
            asyncio.get_running_loop().call_later(delay, self._add, ready)
        else:
            self._add(ready)
        return name

    def _hide(self, message: dict[str, Any], seconds: float) -> None:
        receipt = message["ReceiptHandle"]

        def again() -> None:
            del self._hidden[receipt]
            self._add(message)

        timer = asyncio.get_running_loop().call_later(seconds, again)
        self._hidden[receipt] = message, timer

    def _shown(self, receipt: str) -> dict[str, Any] | None:
        """Take one from those that come again, if it is there."""
        message, timer = self._hidden.pop(receipt, (None, None))
        if timer is not None:
            timer.cancel()
        return message

    def _add(self, message: dict[str, Any]) -> None:
        self._ready.append(message)
        self._came.set()

    async def _receive(self, most: int, wait: float) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(wait):
                while not self._ready:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return []
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]


def _json(found: Mapping[str, Any]) -> Answer:
    return Answer(200, json.dumps(found).encode(), "application/x-amz-json-1.0")


class Connection(asyncio.Protocol):
    """One connection, a call at a time."""

    def __init__(self, objects: Objects, messages: Messages, delay: float) -> None:
        self._objects = objects
        self._messages = messages
        self._delay = delay
        self._read = b""
        self._went_on = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._write: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._write = transport.write

    def connection_lost(self, error: Exception | None) -> None:
        for task in self._tasks:  # else a poll takes what nobody gets
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":")[::2] for line in lines)
        headers = {name.lower(): text.strip() for name, text in pairs}
        if len(body) < int(headers.get("content-length", 0)):
            if "expect" in headers and not self._went_on:
                self._went_on = True
                self._write(CONTINUE)
            return
        self._read, self._went_on = b"", False
        method, path, _ = first.split(" ")
        task = asyncio.create_task(self._answer(method, path, headers, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action:
            answer = await self._messages.answer(action, json.loads(body))
        else:
            answer = self._objects.answer(method, path, headers, body)
        if self._delay:
            await asyncio.sleep(self._delay)
        self._write(answer.whole)


async def main(delay: float) -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    objects, messages = Objects(), Messages()
    server = await loop.create_server(
        lambda: Connection(objects, messages, delay), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000))
