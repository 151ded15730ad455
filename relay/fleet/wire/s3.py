"""S3's calls: as many as are asked of it, with the words that the SDK has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from relay.fleet.wire import xml
from relay.fleet.wire.caller import (
    MOST_BYTES,
    MOST_CONTENT,
    Caller,
    Said,
    headers_of,
)
from relay.fleet.wire.request import Request, encoded, sums
from relay.ses.http.connection import Answer, Broken

_FIELDS = {"IfMatch": "if-match", "IfNoneMatch": "if-none-match", "Range": "range"}
_QUERY = {
    "Prefix": "prefix",
    "MaxKeys": "max-keys",
    "StartAfter": "start-after",
    "ContinuationToken": "continuation-token",
}


class _Operation(NamedTuple):
    method: str
    read: Callable[[bytes, Mapping[str, str]], dict[str, Any]]
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Checksums:
    """Whether S3 is told the sum of what is put, and asked for that of what is read."""

    told: bool = True
    asked: bool = True


class S3:
    """The bucket whose keys are below `path`."""

    def __init__(self, caller: Caller, path: str, checksums: Checksums) -> None:
        self._caller = caller
        self._path = path
        self._checksums = checksums

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK's
        """Make a call. Raises ClientError for a refusal, and what Caller.ask raises."""
        method, read, query = _OPERATIONS[operation]
        key, body = parameters.get("Key", ""), parameters.get("Body", b"")
        fields = _named(parameters, _FIELDS)
        total = await sums(body)
        if method == "PUT" and self._checksums.told:
            fields.append(("x-amz-checksum-crc32", total.crc32))
        whole = operation == "GetObject" and "Range" not in parameters
        if whole and self._checksums.asked:
            fields.append(("x-amz-checksum-mode", "ENABLED"))
        request = Request(
            method,
            self._path + encoded(key, kept="/"),
            [*query, *_named(parameters, _QUERY)],
            fields,
            body,
        )
        answer = await self._caller.ask(
            operation,
            request,
            digest=total.sha256,
            most_bytes=MOST_CONTENT if operation == "GetObject" else MOST_BYTES,
        )
        headers = headers_of(answer)
        if whole:
            await _check(answer.body, headers)
        try:
            return read(answer.body, headers)
        except (ValueError, LookupError) as error:
            raise Broken(f"unreadable answer: {error}") from error


def said(answer: Answer) -> Said:
    """What a refusal says; a proxy's page says nothing."""
    # A bucket that is elsewhere is named in the header, whatever the body is.
    region = headers_of(answer).get("x-amz-bucket-region", "")
    try:
        found = xml.read(answer.body)
    except (ValueError, LookupError):
        return Said("", "", region)
    return Said(
        found.said("Code"), found.said("Message"), found.said("Region") or region
    )


def _named(
    parameters: Mapping[str, Any], names: Mapping[str, str]
) -> list[tuple[str, str]]:
    return [
        (names[name], str(value)) for name, value in parameters.items() if name in names
    ]


async def _check(body: bytes, headers: Mapping[str, str]) -> None:
    """Compare with what S3 says that it was."""
    expected = headers.get("x-amz-checksum-crc32", "")
    if not expected or "-" in expected:  # a sum of sums, of what others wrote in parts
        return
    if (await sums(body)).crc32 != expected:
        raise Broken("an object that is not what was written")


# What answers say, as the SDK puts it.


def _put(_: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    return {"ETag": headers["etag"]}


def _object(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    return {"ETag": headers["etag"], "Body": body, "HTTPHeaders": headers}


def _nothing(_: bytes, __: Mapping[str, str]) -> dict[str, Any]:
    return {}


def _list(body: bytes, _: Mapping[str, str]) -> dict[str, Any]:
    found = _document(body, "ListBucketResult")
    # Keys of others may hold what XML cannot say.
    decoded = unquote_plus if found.said("EncodingType") == "url" else str
    return {
        "Contents": [
            {
                "Key": decoded(one.said("Key")),
                "Size": int(one.said("Size")),
                "LastModified": datetime.fromisoformat(one.said("LastModified")),
            }
            for one in found.all("Contents")
        ],
        "IsTruncated": found.said("IsTruncated") == "true",
        "NextContinuationToken": found.said("NextContinuationToken"),
    }


def _versioning(body: bytes, _: Mapping[str, str]) -> dict[str, Any]:
    return {"Status": _document(body, "VersioningConfiguration").said("Status")}


def _lifecycle(body: bytes, _: Mapping[str, str]) -> dict[str, Any]:
    found = _document(body, "LifecycleConfiguration")
    return {"Rules": [_rule(one) for one in found.all("Rule")]}


def _rule(found: xml.Element) -> dict[str, Any]:
    rule: dict[str, Any] = {"Status": found.said("Status")}
    if days := found.first("Expiration").said("Days"):
        rule["Expiration"] = {"Days": int(days)}
    rule |= _prefix(found)
    for within in found.all("Filter"):
        rule["Filter"] = _prefix(within)
        for both in within.all("And"):
            rule["Filter"]["And"] = _prefix(both)
    return rule


def _prefix(found: xml.Element) -> dict[str, Any]:
    return {"Prefix": found.said("Prefix")} if found.all("Prefix") else {}


def _document(body: bytes, name: str) -> xml.Element:
    found = xml.read(body)
    if found.name != name:
        raise ValueError(f"{found.name} where {name} was asked for")
    return found


_OPERATIONS = {
    "PutObject": _Operation("PUT", _put),
    "GetObject": _Operation("GET", _object),
    "DeleteObject": _Operation("DELETE", _nothing),
    "ListObjectsV2": _Operation(
        "GET", _list, (("list-type", "2"), ("encoding-type", "url"))
    ),
    "GetBucketVersioning": _Operation("GET", _versioning, (("versioning", ""),)),
    "GetBucketLifecycleConfiguration": _Operation(
        "GET", _lifecycle, (("lifecycle", ""),)
    ),
}
