"""Where a SendEmail call goes, learnt from the SDK, which alone knows all settings."""

from __future__ import annotations

from dataclasses import dataclass

from relay.model.mail import ListManagement, Mail, SendOptions
from relay.model.submission import Envelope
from relay.ses.body import Payload
from relay.ses.http.pool import Peer
from relay.ses.parameters import RequestSettings, request_for
from relay.ses.sdk_client import Connection
from relay.ses.sdk_request import Detour, agent_of, peer_at, place_of, prepared
from relay.ses.sigv4 import Target

# Nobody's mail: what the SDK makes of it is compared with what we make of it.
_SAMPLE = Mail(
    Envelope("a@a.example", ("b@b.example", "\N{LATIN SMALL LETTER E WITH ACUTE}@c")),
    b"From: a@a.example\r\n\r\n\xff\r\n",
    SendOptions(
        tags=(("usage", 'a "b"'),), list_management=ListManagement("list", "topic")
    ),
)


@dataclass(frozen=True, slots=True)
class Route:
    """Whom to connect to, and what its requests say and are signed for."""

    peer: Peer
    target: Target


async def find(connection: Connection) -> Route:
    """Ask the SDK for the way, without asking anybody else. Raises Detour."""
    client = connection.client
    request = await prepared(
        client, "SendEmail", request_for(_SAMPLE, RequestSettings())
    )
    place = place_of(request, client)
    if request.method != "POST" or request.body != _expected_body():
        raise Detour("this version of the SDK builds requests in another way")
    agent = agent_of(request)
    if request.headers != {"content-type": "application/json"}:
        more = ", ".join(sorted(request.headers))
        raise Detour(f"the SDK sends other header fields: {more}")
    peer, host = peer_at(place, authorities=connection.authorities)
    _, region, service = request.signing
    return Route(
        peer,
        Target(
            host=host,
            path=place.path,
            region=region,
            service=service,
            user_agent=agent,
        ),
    )


def _expected_body() -> bytes:
    return b"".join(Payload(RequestSettings()).parts(_SAMPLE))
