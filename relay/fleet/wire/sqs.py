"""SQS' calls, which are JSON: what is asked goes as it is, what comes is looked at."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from relay.fleet.wire.caller import (
    MOST_BYTES,
    MOST_CONTENT,
    Caller,
    Said,
    headers_of,
)
from relay.fleet.wire.request import Request
from relay.ses.http.connection import Answer, Broken
from relay.ses.json_depth import is_shallow

CONTENT_TYPE = "application/x-amz-json-1.0"
# What an answer may hold: lists of objects with these texts, and an object of texts.
_LISTS = {
    "Successful": ("Id",),
    "Failed": ("Id", "Code"),
    "Messages": ("ReceiptHandle",),
}


class Sqs:
    """The queue at `url`, asked at `path`."""

    def __init__(self, caller: Caller, path: str, url: str) -> None:
        self._caller = caller
        self._path = path
        self._url = url

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK's
        """Make a call. Raises ClientError for a refusal, and what Caller.ask raises."""
        asked = body(self._url, parameters)
        answer = await self._caller.ask(
            operation,
            Request("POST", self._path, fields=fields(operation), body=asked),
            digest=sha256(asked).hexdigest(),
            most_bytes=MOST_CONTENT if operation == "ReceiveMessage" else MOST_BYTES,
        )
        found = _object(answer.body) if answer.body else {}
        if found is None or not _fits(found):
            raise Broken("unreadable answer: not what SQS says")
        return found


def fields(operation: str) -> list[tuple[str, str]]:
    """The header fields of a call, but for those of its signature."""
    return [("content-type", CONTENT_TYPE), ("x-amz-target", f"AmazonSQS.{operation}")]


def body(url: str, parameters: dict[str, Any]) -> bytes:
    """The body of a call."""
    return json.dumps({"QueueUrl": url, **parameters}).encode("ascii")


def said(answer: Answer) -> Said:
    """What a refusal says; a proxy's page says nothing."""
    found = _object(answer.body) or {}
    # A name of the model, perhaps with that of its service before and an URL behind.
    kind = str(found.get("__type") or headers_of(answer).get("x-amzn-errortype", ""))
    code = kind.partition(":")[0].rpartition("#")[2]
    return Said(code, str(found.get("message") or found.get("Message") or ""))


def _object(text: bytes) -> dict[str, Any] | None:
    if not is_shallow(text):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _fits(found: dict[str, Any]) -> bool:
    for name, texts in _LISTS.items():
        listed = found.get(name) or []
        if not isinstance(listed, list):
            return False
        for one in listed:
            if not isinstance(one, dict) or not _has_texts(one, texts):
                return False
            if not _is_of_texts(one.get("Attributes")):
                return False
            if not isinstance(one.get("Body", ""), str):
                return False
    return _is_of_texts(found.get("Attributes"))


def _has_texts(one: dict[str, Any], names: tuple[str, ...]) -> bool:
    return all(isinstance(one.get(name), str) for name in names)


def _is_of_texts(found: object) -> bool:
    return found is None or (
        isinstance(found, dict)
        and all(isinstance(value, str) for value in found.values())
    )
