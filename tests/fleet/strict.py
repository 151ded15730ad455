"""What AWS checks of a request, before an emulator that does not.

Signatures by the SDK's own signers, the date, the keys, and the sums of bodies.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from zlib import crc32

import aiohttp
from aiohttp import web
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

SKEW = 900.0  # seconds
# Of a connection, and not of what is asked.
HOPS = ("host", "content-length", "connection", "transfer-encoding")


@dataclass(frozen=True)
class Refusal:
    """An answer that says no."""

    status: int
    code: str
    text: str = ""


@dataclass
class Strict:
    """Passes what AWS would take to `target`.

    `keys` are the secrets by their ids; `expired` has ids whose time is over. `now` is
    its clock. `instead` may give an answer before the emulator is asked, `spoil` makes
    another body of an object.
    """

    target: str
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
        self, request: web.BaseRequest, session: aiohttp.ClientSession
    ) -> web.StreamResponse:
        """Check one request, and pass it on."""
        body = await request.content.read()  # of any size
        action = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        name = f"SQS {action}" if action else f"S3 {request.method} {request.raw_path}"
        refusal = self._refusal(request, body, is_s3=not action)
        if refusal is not None:
            self.refused.append(f"{name} {refusal.code}")
            return xml(refusal) if not action else as_json(refusal)
        if (answer := self.instead(name)) is not None:
            return answer
        self.served.append(name)
        self.agents.add(request.headers["User-Agent"])
        return await self._passed(request, body, session)

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

    async def _passed(
        self, request: web.BaseRequest, body: bytes, session: aiohttp.ClientSession
    ) -> web.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOPS
        }
        url = URL(self.target + request.raw_path, encoded=True)
        async with session.request(
            request.method,
            url,
            headers=headers,
            data=BytesIO(body),
            allow_redirects=False,
        ) as answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in HOPS
            }
            found = await answer.read()
            if request.headers.get("X-Amz-Checksum-Mode") == "ENABLED":
                kept["x-amz-checksum-crc32"] = _crc(found)
                found = self.spoil(found)
            return web.Response(status=answer.status, headers=kept, body=found)


def _wrong_sum(request: web.BaseRequest, body: bytes) -> Refusal | None:
    if request.headers["X-Amz-Content-Sha256"] != sha256(body).hexdigest():
        return Refusal(400, "XAmzContentSHA256Mismatch")
    told = request.headers.get("X-Amz-Checksum-Crc32")
    if request.method == "PUT" and told != _crc(body):
        return Refusal(400, "BadDigest")
    return None


def _crc(body: bytes) -> str:
    return base64.b64encode(crc32(body).to_bytes(4, "big")).decode()


def xml(refusal: Refusal, **more: str) -> web.Response:
    """How S3 refuses."""
    text = (
        f"<Error><Code>{refusal.code}</Code><Message>{refusal.text}</Message></Error>"
    )
    return web.Response(
        status=refusal.status, text=text, content_type="application/xml", headers=more
    )


def as_json(refusal: Refusal) -> web.Response:
    """How SQS refuses."""
    said = {"__type": f"com.amazonaws.sqs#{refusal.code}", "message": refusal.text}
    return web.Response(
        status=refusal.status,
        text=json.dumps(said),
        content_type="application/x-amz-json-1.0",
    )


@asynccontextmanager
async def strict(target: str) -> AsyncIterator[Strict]:
    """One on a free port of loopback until the context ends."""
    found = Strict(target)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        server = web.Server(lambda request: found.serve(request, session))
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield found
        finally:
            await runner.cleanup()
