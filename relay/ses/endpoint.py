"""Where a SendEmail call goes, learnt from the SDK, which alone knows all settings."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError
from botocore.httpsession import (
    ProxyConfiguration,
    create_urllib3_context,
    get_cert_path,
)
from botocore.utils import get_environ_proxies

from relay.model.mail import ListManagement, Mail, SendOptions
from relay.model.submission import Envelope
from relay.ses.body import Payload
from relay.ses.http.pool import Peer
from relay.ses.parameters import RequestSettings, request_for
from relay.ses.read_answer import UNREADABLE, named
from relay.ses.sdk_client import Connection
from relay.ses.sigv4 import Target

# Nobody's mail: what the SDK makes of it is compared with what we make of it.
_SAMPLE = Mail(
    Envelope("a@a.example", ("b@b.example", "\N{LATIN SMALL LETTER E WITH ACUTE}@c")),
    b"From: a@a.example\r\n\r\n\xff\r\n",
    SendOptions(
        tags=(("usage", 'a "b"'),), list_management=ListManagement("list", "topic")
    ),
)
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")  # signed as it stands
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# The SDK's count of its own attempts; of no use where each is one of ours.
_LEFT_OUT = {"amz-sdk-invocation-id", "amz-sdk-request", "content-length"}


class Detour(Exception):  # noqa: N818 - a statement about the settings
    """The direct way does not lead there; the text says why."""


@dataclass(frozen=True, slots=True)
class Route:
    """Whom to connect to, and what its requests say and are signed for."""

    peer: Peer
    target: Target


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The request that the SDK would have sent, but for its signature."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    signing: tuple[str, str, str]  # version, region, service


class _Seen(Exception):  # noqa: N818 - carries the request out of the SDK
    def __init__(self, request: Any) -> None:  # noqa: ANN401 - the SDK has no types
        super().__init__()
        self.request = request


async def find(connection: Connection) -> Route:
    """Ask the SDK for the way, without asking anybody else. Raises Detour."""
    prepared = await _prepared(connection.client)
    parts = urlsplit(prepared.url)
    config = connection.client.meta.config
    proxies = config.proxies or get_environ_proxies(prepared.url)
    version, region, service = prepared.signing
    if ProxyConfiguration(proxies).proxy_url_for(prepared.url):
        raise Detour("a proxy stands before the endpoint")
    if version != "v4":
        raise Detour(f"the endpoint wants signatures of the kind {version}")
    if config.client_cert:
        raise Detour("a client certificate is set")
    host = parts.hostname or ""
    plain = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}" == prepared.url
    named_plainly = _PATH.fullmatch(parts.path) and _HOST.fullmatch(host)
    if not (plain and named_plainly) or parts.username or parts.password:
        raise Detour("the endpoint's URL is of an unusual kind")
    if prepared.method != "POST" or prepared.body != _expected_body():
        raise Detour("this version of the SDK builds requests in another way")
    agent = prepared.headers.pop("user-agent", "")
    if not (agent.isascii() and agent.isprintable()):
        raise Detour("the SDK calls itself by a name that is no ASCII")
    if prepared.headers != {"content-type": "application/json"}:
        more = ", ".join(sorted(prepared.headers))
        raise Detour(f"the SDK sends other header fields: {more}")
    secure = parts.scheme == "https"
    usual = 443 if secure else 80
    port = parts.port or usual
    shown = f"[{host}]" if ":" in host else host
    return Route(
        Peer(host, port, _tls(connection) if secure else None),
        Target(
            host=shown if port == usual else f"{shown}:{port}",
            path=parts.path,
            region=region,
            service=service,
            user_agent=agent,
        ),
    )


async def _prepared(client: Any) -> _Prepared:  # noqa: ANN401 - the SDK has no types
    """Let the SDK build a request, and take it before it is signed and sent."""
    signing = ("", "", "")

    def choose(
        signature_version: str, region_name: str, signing_name: str, **_: object
    ) -> object:
        nonlocal signing
        signing = (signature_version, region_name, signing_name)
        return UNSIGNED  # so that nobody looks for credentials

    def take(request: object, **_: object) -> None:
        raise _Seen(request)

    events = client.meta.events
    events.register_first("choose-signer.sesv2.SendEmail", choose)
    events.register_first("before-send.sesv2.SendEmail", take)
    try:
        await client.send_email(**request_for(_SAMPLE, RequestSettings()))
    except _Seen as seen:
        request = seen.request
    except BotoCoreError as error:
        raise Detour(f"the SDK finds no endpoint: {named(error)}") from error
    else:
        raise Detour("this version of the SDK cannot be asked for its endpoint")
    finally:
        events.unregister("choose-signer.sesv2.SendEmail", choose)
        events.unregister("before-send.sesv2.SendEmail", take)
    try:
        return _Prepared(
            request.method,
            request.url,
            {
                name.lower(): value.decode() if isinstance(value, bytes) else value
                for name, value in request.headers.items()
                if name.lower() not in _LEFT_OUT
            },
            request.body,
            signing,
        )
    except UNREADABLE as error:
        raise Detour("this version of the SDK builds other requests") from error


def _expected_body() -> bytes:
    return b"".join(Payload(RequestSettings()).parts(_SAMPLE))


def _tls(connection: Connection) -> ssl.SSLContext:
    """Trust whom the SDK would trust, with its own choice of ciphers and bundle."""
    context: ssl.SSLContext = create_urllib3_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: no older one
    context.check_hostname = True
    context.load_verify_locations(get_cert_path(connection.authorities or True))
    context.set_alpn_protocols(["http/1.1"])
    return context
