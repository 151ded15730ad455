"""Where S3's and SQS' calls go, learnt from the SDK's clients, which know all settings.

Each is asked for a request that it would send, and its way is ours if we would send the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.fleet.wire import sqs
from relay.fleet.wire.request import Signer
from relay.fleet.wire.s3 import Checksums
from relay.ses.http.pool import Peer
from relay.ses.sdk_request import (
    Detour,
    Prepared,
    agent_of,
    peer_at,
    place_of,
    prepared,
)

_KEY = "sample"  # names no object


@dataclass(frozen=True, slots=True)
class Route:
    """Whom to connect to, who signs for there, and what a path begins with."""

    peer: Peer
    signer: Signer
    path: str


async def to_s3(
    client: Any,  # noqa: ANN401 - the SDK has no types
    bucket: str,
    *,
    authorities: str,
) -> tuple[Route, Checksums]:
    """The way to a bucket, and the sums that the SDK's settings want. Raises Detour."""
    config = client.meta.config
    sums = Checksums(
        told=config.request_checksum_calculation == "when_supported",
        asked=config.response_checksum_validation == "when_supported",
    )
    found = await prepared(client, "GetObject", {"Bucket": bucket, "Key": _KEY})
    expected = {"x-amz-checksum-mode": "ENABLED"} if sums.asked else {}
    route = _route(client, found, expected, authorities=authorities)
    if found.method != "GET" or not route.path.endswith(f"/{_KEY}"):
        raise Detour("this version of the SDK builds requests in another way")
    return Route(route.peer, route.signer, route.path.removesuffix(_KEY)), sums


async def to_sqs(client: Any, url: str, *, authorities: str) -> Route:  # noqa: ANN401
    """The way to a queue. Raises Detour."""
    operation, parameters = "GetQueueAttributes", {"AttributeNames": ["QueueArn"]}
    found = await prepared(client, operation, {"QueueUrl": url, **parameters})
    # It asks for errors by the names of an older protocol; ours are the model's.
    found.headers.pop("x-amzn-query-mode", "")
    route = _route(client, found, dict(sqs.fields(operation)), authorities=authorities)
    if found.method != "POST" or found.body != sqs.body(url, parameters):
        raise Detour("this version of the SDK builds requests in another way")
    return route


def _route(
    client: Any,  # noqa: ANN401 - the SDK has no types
    found: Prepared,
    expected: Mapping[str, str],
    *,
    authorities: str,
) -> Route:
    place = place_of(found, client)
    agent = agent_of(found)
    if found.headers != expected:
        more = ", ".join(sorted(found.headers.keys() ^ expected.keys()))
        raise Detour(f"the SDK sends other header fields: {more}")
    peer, host = peer_at(place, authorities=authorities)
    _, region, service = found.signing
    signer = Signer(host, region, service, agent, says_digest=service != "sqs")
    return Route(peer, signer, place.path)
