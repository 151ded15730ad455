"""A request as the SDK would have made it: where it goes, learnt from who knows.

The SDK alone knows all of AWS' settings: endpoints, dual stack, FIPS, proxies.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore import UNSIGNED, xform_name
from botocore.exceptions import BotoCoreError
from botocore.httpsession import (
    ProxyConfiguration,
    create_urllib3_context,
    get_cert_path,
)
from botocore.utils import get_environ_proxies

from relay.ses.http.pool import Peer
from relay.ses.read_answer import UNREADABLE, named

_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+|/")  # signed as it stands
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# The SDK's count of its own attempts; of no use where each is one of ours.
_LEFT_OUT = {"amz-sdk-invocation-id", "amz-sdk-request", "content-length"}


class Detour(Exception):  # noqa: N818 - a statement about the settings
    """The direct way does not lead there; the text says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
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


async def prepared(
    client: Any,  # noqa: ANN401 - the SDK has no types
    operation: str,
    parameters: Mapping[str, Any],
) -> Prepared:
    """Let the SDK build a request, and take it before it is signed and sent.

    Nobody is asked. Raises Detour.
    """
    signing = ("", "", "")

    def choose(
        signature_version: str,
        region_name: str,
        signing_name: str,
        context: Mapping[str, Any],
        **_: object,
    ) -> object:
        nonlocal signing
        own = context.get("signing", {})
        signing = (
            signature_version,
            own.get("region", region_name),
            own.get("signing_name", signing_name),
        )
        return UNSIGNED  # so that nobody looks for credentials

    def take(request: object, **_: object) -> None:
        raise _Seen(request)

    events = client.meta.events
    name = f"{client.meta.service_model.service_id.hyphenize()}.{operation}"
    events.register_first(f"choose-signer.{name}", choose)
    events.register_first(f"before-send.{name}", take)
    try:
        await getattr(client, xform_name(operation))(**parameters)
    except _Seen as seen:
        request = seen.request
    except BotoCoreError as error:
        raise Detour(f"the SDK finds no endpoint: {named(error)}") from error
    else:
        raise Detour("this version of the SDK cannot be asked for its endpoint")
    finally:
        events.unregister(f"choose-signer.{name}", choose)
        events.unregister(f"before-send.{name}", take)
    try:
        return Prepared(
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


def place_of(found: Prepared, client: Any) -> SplitResult:  # noqa: ANN401
    """Where it goes, if our own connections lead there. Raises Detour."""
    parts = urlsplit(found.url)
    config = client.meta.config
    proxies = config.proxies or get_environ_proxies(found.url)
    version, _, _ = found.signing
    if ProxyConfiguration(proxies).proxy_url_for(found.url):
        raise Detour("a proxy stands before the endpoint")
    if version != "v4":
        raise Detour(f"the endpoint wants signatures of the kind {version}")
    if config.client_cert:
        raise Detour("a client certificate is set")
    plain = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}" == found.url
    named_plainly = _PATH.fullmatch(parts.path) and _HOST.fullmatch(
        parts.hostname or ""
    )
    if not (plain and named_plainly) or parts.username or parts.password:
        raise Detour("the endpoint's URL is of an unusual kind")
    return parts


def peer_at(place: SplitResult, *, authorities: str) -> tuple[Peer, str]:
    """Whom to connect to, and what its requests call it."""
    host = place.hostname or ""
    secure = place.scheme == "https"
    usual = 443 if secure else 80
    port = place.port or usual
    shown = f"[{host}]" if ":" in host else host
    peer = Peer(host, port, _tls(authorities) if secure else None)
    return peer, shown if port == usual else f"{shown}:{port}"


def agent_of(found: Prepared) -> str:
    """What the SDK calls itself, taken out of its header. Raises Detour."""
    agent = found.headers.pop("user-agent", "")
    if not (agent.isascii() and agent.isprintable()):
        raise Detour("the SDK calls itself by a name that is no ASCII")
    return agent


def _tls(authorities: str) -> ssl.SSLContext:
    """Trust whom the SDK would trust, with its own choice of ciphers and bundle."""
    context: ssl.SSLContext = create_urllib3_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: no older one
    context.check_hostname = True
    context.load_verify_locations(get_cert_path(authorities or True))
    context.set_alpn_protocols(["http/1.1"])
    return context
