"""HTTP as the SDK's clients speak it, within bounds that the SDK does not set.

A redirect is an answer and never followed: it would take the session's token, or a
whole mail, to whomever it names. What comes back is bounded, in size and in depth.
"""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.abc import AbstractResolver, ResolveResult

from relay.ses.http.connection import MOST_BYTES
from relay.ses.http.names import Names
from relay.ses.json_depth import is_shallow


class BoundedSession(AIOHTTPSession):  # type: ignore[misc] # the SDK has no types
    """The SDK's session, for `http_session_cls` of its configuration.

    The lowest version of TLS is ours as well: the SDK leaves it to OpenSSL, and that to
    the machine (RFC 8996).
    """

    def _get_ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_ssl_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _get_session(self, proxy_url: str | None) -> _Bounded:
        return _Bounded(await super()._get_session(proxy_url))


class _Bounded:
    """As much of aiohttp's session as the SDK's uses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(
        self,
        method: str,
        **other: Any,  # noqa: ANN401 - aiohttp's arguments
    ) -> _BoundedResponse:
        response = await self._session.request(method, allow_redirects=False, **other)
        return _BoundedResponse(response)


class _BoundedResponse:
    """As much of aiohttp's response as the SDK uses."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.url = response.url
        self.status = response.status
        self.raw_headers = response.raw_headers
        self._response = response

    async def read(self) -> bytes:
        """The whole body; raises what the SDK takes for a broken connection."""
        try:
            body = await self._bounded_body()
        except BaseException:
            self._response.close()
            raise
        await self._response.read()  # nothing is left; it gives the connection back
        return body

    async def _bounded_body(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in self._response.content.iter_any():
            size += len(piece)
            if size > MOST_BYTES:
                raise aiohttp.ClientPayloadError(
                    f"an answer of more than {MOST_BYTES} bytes"
                )
            pieces.append(piece)
        body = b"".join(pieces)
        if not is_shallow(body):
            raise aiohttp.ClientPayloadError("an answer that is nested too deep")
        return body


class Resolver(AbstractResolver):
    """Names for aiohttp, which has no threads of its own to ask in."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: int = 0
    ) -> list[ResolveResult]:
        """Find the addresses of a host."""
        found = await self._names.addresses(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=kind,
                proto=protocol,
                flags=0,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held here."""
