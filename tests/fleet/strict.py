"""What AWS checks of a request, before an emulator that does not.

Signatures by the SDK's own signers, the date, the keys, and the sums of bodies.
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from zlib import crc32

from aiohttp import web
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fleet.passing import (
    Refusal,
    Target,
    action_of,
    as_json,
    body_of,
    listening,
    target,
    xml,
)

SKEW = 900.0  # seconds


@dataclass
class Strict:
    """Passes on what AWS would take.

    `keys` are the secrets by their ids; `expired` has ids whose time is over. `now` is
    its clock. `instead` may give an answer before the emulator is asked, `spoil` makes
    another body of an object.
    """

    url: str = ""
    keys: dict[str, str] = field(default_factory=lambda: {"AKIAFAKE": "fake-secret"})
    tokens: dict[str, str] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    now: Callable[[], float] = time.time
    instead: Callable[[str], web.Response | None] = lambda name: None
    spoil: Callable[[bytes], bytes] = lambda body: body
    refused: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    async def serve(
        self, request: web.BaseRequest, target: Target
    ) -> web.StreamResponse:
        """Check one request, and pass it on."""
        body = await body_of(request)
        action = action_of(request)
        name = f"SQS {action}" if action else f"S3 {request.method} {request.raw_path}"
        refusal = self._refusal(request, body, is_s3=not action)
        if refusal is not None:
            self.refused.append(f"{name} {refusal.code}")
            return xml(refusal) if not action else as_json(refusal)
        if (answer := self.instead(name)) is not None:
            return answer
        self.served.append(name)
        self.agents.add(request.headers["User-Agent"])
        status, headers, found = await target.answer(request, body)
        asked = request.headers.get("X-Amz-Checksum-Mode") == "ENABLED"
        if asked and status < 300:
            headers["x-amz-checksum-crc32"] = _crc(found)
            found = self.spoil(found)
        return web.Response(status=status, headers=headers, body=found)

    def _refusal(
        self, request: web.BaseRequest, body: bytes, *, is_s3: bool
    ) -> Refusal | None:
        scheme, _, rest = request.headers["Authorization"].partition(" ")
        assert scheme == "AWS4-HMAC-SHA256"
        parts = dict(part.split("=", 1) for part in rest.split(", "))
        key_id, _, region, service, _ = parts["Credential"].split("/")
        if key_id in self.expired:
            return Refusal(400 if is_s3 else 403, "ExpiredToken", "has expired")
        if key_id not in self.keys:
            code = "InvalidAccessKeyId" if is_s3 else "InvalidClientTokenId"
            return Refusal(403, code)
        if request.headers.get("X-Amz-Security-Token") != self.tokens.get(key_id):
            return Refusal(403, "InvalidToken")
        stamp = request.headers["X-Amz-Date"]
        made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(made.timestamp() - self.now()) > SKEW:
            text = "Signature expired: it is now earlier than it should be"
            code = "RequestTimeTooSkewed" if is_s3 else "InvalidSignatureException"
            return Refusal(403, code, text)
        copy = AWSRequest(
            method=request.method,
            url=f"http://{request.headers['Host']}{request.raw_path}",
            headers={
                name: request.headers[name]
                for name in parts["SignedHeaders"].split(";")
                if name != "host"
            },
            data=body,
        )
        copy.context["timestamp"] = stamp
        made_by = S3SigV4Auth if service == "s3" else SigV4Auth
        signer = made_by(Credentials(key_id, self.keys[key_id]), service, region)
        expected = signer.signature(
            signer.string_to_sign(copy, signer.canonical_request(copy)), copy
        )
        if expected != parts["Signature"]:
            return Refusal(403, "SignatureDoesNotMatch")
        if is_s3:
            return _wrong_sum(request, body)
        return None


def _wrong_sum(request: web.BaseRequest, body: bytes) -> Refusal | None:
    if request.headers["X-Amz-Content-Sha256"] != sha256(body).hexdigest():
        return Refusal(400, "XAmzContentSHA256Mismatch")
    told = request.headers.get("X-Amz-Checksum-Crc32")
    if request.method == "PUT" and told != _crc(body):
        return Refusal(400, "BadDigest")
    return None


def _crc(body: bytes) -> str:
    return base64.b64encode(crc32(body).to_bytes(4, "big")).decode()


@asynccontextmanager
async def strict(url: str) -> AsyncIterator[Strict]:
    """One before what is at `url`, until the context ends."""
    found = Strict()
    async with (
        target(url) as behind,
        listening(lambda request: found.serve(request, behind)) as found.url,
    ):
        yield found
