"""An SES that runs here: a real HTTP server with the answers that a test wants.

It checks each request as AWS would: the signature with the SDK's own signer, the
parameters with the SDK's own model. By hand: `python -m tests.fake_ses --port 9000`,
with the keys of `KEYS` and any region.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import ipaddress
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote

import botocore.session
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

KEYS = {
    "AKIAFAKE": "fake-secret",
    "AKIABRAND": "brand-secret",
    "ASIAROLE1": "role-secret",
    "ASIAROLE2": "2nd",
}
SEND = "/v2/email/outbound-emails"


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    `then`: answer | hang | trickle | reset (the request was read) | close (the
    same, with a FIN) | reset unread (only the request's head was read) | answer
    unread (the same) | raw (`body` is all that goes over the line, and a FIN) |
    raw bytewise. `pause`: seconds to wait before each piece of the request. `after`:
    what has to happen before the answer.
    """

    status: int = 200
    kind: str = ""  # x-amzn-ErrorType
    text: str = ""
    body: bytes | None = None  # instead of what SES would say
    content_type: str = "application/json"
    seconds: float = 0
    pause: float = 0
    then: str = "answer"
    after: asyncio.Event | None = None


@cache
def _send_email() -> Any:  # noqa: ANN401 - botocore has no types
    model = botocore.session.get_session().get_service_model("sesv2")
    return model.operation_model("SendEmail").input_shape


def error(kind: str, status: int = 400, text: str = "") -> Answer:
    """SES' error `kind`, as it stands on the wire."""
    return Answer(status, kind, text)


@dataclass(frozen=True)
class Request:
    """One request that was read whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    key_id: str = ""
    region: str = ""  # that it was signed for
    wrong: str = ""  # why AWS would refuse it; empty: it would not

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def mail(self) -> bytes:
        return base64.b64decode(self.json["Content"]["Raw"]["Data"], validate=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters but the content."""
        return {key: value for key, value in self.json.items() if key != "Content"}


class FakeSes:
    """`async with FakeSes() as ses`: listens at `ses.url`, on 127.0.0.1 only.

    `answers` are given to SendEmail in order, then it accepts. `resources` are the
    answers to GET, by path, with its query or without; STS' AssumeRole gives one of
    `roles` after another. Its clock is `ahead` by so many seconds in what it answers.
    """

    def __init__(
        self,
        *answers: Answer,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        seconds: float = 0,
        ahead: float = 0,
    ) -> None:
        self.answers = deque(answers)
        self.requests: list[Request] = []
        self.opened = 0  # heads of requests that were read, those of `requests` too
        self.resources: dict[str, Answer] = {}
        self.sts = Answer()
        self.roles = deque([("ASIAROLE1", 3600.0), ("ASIAROLE2", 3600.0)])
        self.arrived = asyncio.Event()
        self._port = port
        self._tls = tls
        self._seconds = seconds
        self._ahead = timedelta(seconds=ahead)
        self._over = asyncio.Event()
        self._shape = _send_email()
        self._runner: web.ServerRunner | None = None
        self._listener: socket.socket

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def sent(self) -> list[Request]:
        """The SendEmail requests."""
        return [one for one in self.requests if one.path == SEND]

    async def all_closed(self) -> None:
        """Wait until each connection that carried a request has been closed here."""
        assert self._runner is not None
        assert self._runner.server is not None
        while self._runner.server.connections:  # noqa: ASYNC110 - aiohttp has no event
            await asyncio.sleep(0.001)

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve))
        await self._runner.setup()
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        await self._stop_listening()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        await web.SockSite(self._runner, self._listener, ssl_context=self._tls).start()

    async def _stop_listening(self) -> None:
        assert self._runner is not None
        if not self._runner.sites:
            return
        # What was just accepted becomes a connection in a turn or two of the loop; a
        # server that is closed before leaves its socket open (gh-109564).
        asyncio.get_running_loop().remove_reader(self._listener)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for site in list(self._runner.sites):
            await site.stop()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answered(request)
        if self._ahead and not response.prepared:
            response.headers["Date"] = format_datetime(
                datetime.now(UTC) + self._ahead, usegmt=True
            )
        return response

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        self.opened += 1
        sends = request.method == "POST" and request.path == SEND
        answer = self.answers.popleft() if sends and self.answers else None
        if answer is not None and answer.then == "reset unread":
            return _reset(request)
        if answer is not None and answer.then == "answer unread":
            return _answer(answer, {})
        body = b""
        if answer is not None and answer.pause:
            while piece := await request.content.readany():
                body += piece
                await asyncio.sleep(answer.pause)
        body += await request.content.read()  # request.read() ends at a megabyte
        seen = self._request(request, body)
        self.requests.append(seen)
        self.arrived.set()
        if seen.wrong:
            kind = seen.wrong.partition(":")[0]
            status = 400 if kind == "BadRequestException" else 403
            return _answer(error(kind, status, seen.wrong), {})
        if sends:
            return await self._do(request, answer or Answer(seconds=self._seconds))
        if request.method == "POST":
            return self._assume_role(body)
        path = unquote(request.path)
        asked = f"{path}?{request.query_string}" if request.query_string else path
        answer = self.resources.get(asked, self.resources.get(path))
        return _answer(answer or error("NotFoundException", 404, "not found"), {})

    def _request(self, request: web.BaseRequest, body: bytes) -> Request:
        key_id, region, wrong = _signature(request, body)
        if not wrong and request.path == SEND:
            wrong = self._parameters(body)
        return Request(
            request.method,
            request.path,
            dict(request.headers),
            body,
            key_id,
            region,
            wrong,
        )

    def _parameters(self, body: bytes) -> str:
        try:
            parameters = json.loads(body)
            data = parameters["Content"]["Raw"]["Data"]
            parameters["Content"]["Raw"]["Data"] = base64.b64decode(data, validate=True)
        except (ValueError, LookupError, TypeError) as wrong:
            return f"BadRequestException: {wrong!r}"
        report = ParamValidator().validate(parameters, self._shape)
        if report.has_errors():
            return f"BadRequestException: {report.generate_report()}"
        unknown = parameters.keys() - self._shape.members.keys()
        return f"BadRequestException: unknown {sorted(unknown)}" if unknown else ""

    async def _do(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        if answer.seconds:
            await asyncio.sleep(answer.seconds)
        if answer.after is not None:
            await answer.after.wait()
        match answer.then:
            case "hang":
                await self._over.wait()
                return _reset(request)
            case "reset":
                return _reset(request)
            case "close":
                if request.transport is not None:
                    request.transport.close()
                return web.Response()
            case "raw" | "raw bytewise":
                assert request.transport is not None
                body = answer.body or b""
                step = 1 if answer.then == "raw bytewise" else len(body) or 1
                for start in range(0, len(body), step):
                    request.transport.write(body[start : start + step])
                    await asyncio.sleep(0)
                request.transport.close()
                return web.Response()
            case "trickle":
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                while not self._over.is_set():
                    await response.write(b" ")
                    await asyncio.sleep(0.05)
                return response
            case _:
                number = len(self.sent)
                return _answer(answer, {"MessageId": f"0100fake-{number:06d}"})

    def _assume_role(self, body: bytes) -> web.StreamResponse:
        form = parse_qs(body.decode())
        if self.sts.status != 200:
            text = (
                f"<ErrorResponse><Error><Code>{self.sts.kind}</Code>"
                f"<Message>{self.sts.text}</Message></Error></ErrorResponse>"
            )
            return web.Response(status=self.sts.status, text=text)
        if form["Action"] == ["GetCallerIdentity"]:
            text = (
                "<GetCallerIdentityResponse><GetCallerIdentityResult>"
                "<Arn>arn:aws:iam::111122223333:user/relay</Arn>"
                "<Account>111122223333</Account><UserId>U</UserId>"
                "</GetCallerIdentityResult></GetCallerIdentityResponse>"
            )
            return web.Response(text=text, content_type="text/xml")
        key_id, lasts = self.roles[0]
        if len(self.roles) > 1:
            self.roles.popleft()
        expires = datetime.now(UTC) + timedelta(seconds=lasts)
        text = (
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>{key_id}</AccessKeyId>"
            f"<SecretAccessKey>{KEYS[key_id]}</SecretAccessKey>"
            "<SessionToken>token</SessionToken>"
            f"<Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            "<AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn>"
            "<AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>"
            "</AssumeRoleResult></AssumeRoleResponse>"
        )
        return web.Response(text=text, content_type="text/xml")


def _answer(answer: Answer, good: Mapping[str, Any]) -> web.StreamResponse:
    headers = {"x-amzn-RequestId": "00000000-0000-0000-0000-000000000000"}
    body = answer.body
    if answer.kind:
        headers["x-amzn-ErrorType"] = answer.kind
        body = body or json.dumps({"message": answer.text}).encode()
    return web.Response(
        status=answer.status,
        headers=headers,
        body=json.dumps(good).encode() if body is None else body,
        content_type=answer.content_type,
    )


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is None:
        return web.Response()  # who asked is gone
    line = request.transport.get_extra_info("socket")
    # Zero seconds to linger: the close becomes a RST.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return web.Response()


def _signature(request: web.BaseRequest, body: bytes) -> tuple[str, str, str]:
    """Check AWS' signature (version 4); give key's id, region and what is wrong."""
    header = request.headers.get("Authorization", "")
    if not header.startswith("AWS4-HMAC-SHA256 "):
        return "", "", "MissingAuthenticationTokenException: no signature"
    parts = dict(
        part.strip().split("=", 1) for part in header.partition(" ")[2].split(",")
    )
    key_id, _, region, service, _ = parts["Credential"].split("/")
    secret = KEYS.get(key_id)
    if secret is None:
        return key_id, region, "UnrecognizedClientException: unknown key"
    signed = {name: request.headers[name] for name in parts["SignedHeaders"].split(";")}
    copy = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['Host']}{request.raw_path}",
        headers=signed,
        data=body,
    )
    copy.context["timestamp"] = request.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(key_id, secret), service, region)
    expected = signer.signature(
        signer.string_to_sign(copy, signer.canonical_request(copy)), copy
    )
    if expected != parts["Signature"]:
        return key_id, region, "InvalidSignatureException: signatures differ"
    return key_id, region, ""


def self_signed(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for 127.0.0.1; give a server's context and its file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake SES")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = directory / "fake-ses.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(pem) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


async def _run(port: int, seconds: float) -> None:
    async with FakeSes(port=port, seconds=seconds) as ses:
        ses.resources["/v2/email/account"] = Answer(
            body=json.dumps(
                {
                    "ProductionAccessEnabled": True,
                    "SendingEnabled": True,
                    "EnforcementStatus": "HEALTHY",
                    "SendQuota": {
                        "Max24HourSend": 50000,
                        "MaxSendRate": 14,
                        "SentLast24Hours": 0,
                    },
                }
            ).encode()
        )
        print(f"fake SES at {ses.url}, key AKIAFAKE, secret fake-secret", flush=True)
        while True:
            await ses.arrived.wait()
            ses.arrived.clear()
            for request in ses.requests:
                print(request.method, request.path, request.wrong or "ok", flush=True)
                if request.path == SEND and not request.wrong:
                    print(request.parameters, flush=True)
            ses.requests.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--seconds", type=float, default=0, help="before each answer")
    options = parser.parse_args()
    try:
        asyncio.run(_run(options.port, options.seconds))
    except KeyboardInterrupt:
        pass
