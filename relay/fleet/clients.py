"""S3 and SQS of some settings: over our own connections where these lead there.

By the relay's own credentials, never by `ses.roleArn`: the identity's account need not
know the queue.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError
from botocore.loaders import create_loader

from relay import log
from relay.fleet.aws import FleetSettings, Unusable, region_of
from relay.fleet.service import SdkService, Service, Unasked
from relay.fleet.wire import s3, sqs
from relay.fleet.wire.caller import Caller, Said
from relay.fleet.wire.route import Route, to_s3, to_sqs
from relay.ses.client_settings import ClientSettings
from relay.ses.credentials import Credentials, credentials_for
from relay.ses.http.connection import Answer
from relay.ses.http.names import Names
from relay.ses.http.pool import Pool
from relay.ses.sdk_client import CannotOpen, Provider, authorities_of, sdk_session
from relay.ses.sdk_request import Detour
from relay.ses.sdk_session import Resolver

CONNECT = 1.0  # seconds
CONNECTIONS = 50  # to each service


class StraightSession(AIOHTTPSession):  # type: ignore[misc] # the SDK has no types
    """The SDK's session with our lowest version of TLS (RFC 8996), and no redirects."""

    def _get_ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_ssl_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _get_session(self, proxy_url: str | None) -> _Straight:
        return _Straight(await super()._get_session(proxy_url))


class _Straight:
    """As much of aiohttp's session as the SDK's uses."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - aiohttp's door is not here
        self._session = session

    async def request(self, method: str, **other: Any) -> Any:  # noqa: ANN401
        return await self._session.request(method, allow_redirects=False, **other)


@asynccontextmanager
async def clients(settings: FleetSettings) -> AsyncIterator[tuple[Service, Service]]:
    """S3 with the bucket, and SQS with the queue. Asks nobody. Raises Unusable.

    A queue without a bucket has nothing in S3's place that could be asked.
    """
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    async with AsyncExitStack() as stack:
        ways = await _Ways.opened(settings, stack)
        yield await ways.s3(), await ways.sqs()


@dataclass(frozen=True, slots=True)
class _Ways:
    """What both ways are made of; all that is open ends with `stack`."""

    settings: FleetSettings
    stack: AsyncExitStack
    region: str
    names: Names
    session: AioSession
    credentials: Credentials
    authorities: str

    @classmethod
    async def opened(cls, settings: FleetSettings, stack: AsyncExitStack) -> _Ways:
        names = Names(patience=CONNECT)
        stack.callback(names.close)
        region = (
            settings.region
            or region_of(settings.url)
            or os.environ.get("AWS_REGION")
            or os.environ.get("AWS_DEFAULT_REGION", "")
        )
        own = ClientSettings(
            access_key_id=settings.access_key_id,
            access_key_secret=settings.access_key_secret,
        )
        # Not with the lean data of SES' client: S3's own code asks for the rest.
        session = AioSession()
        session.register_component("data_loader", create_loader())
        try:
            authorities = authorities_of(session)
        except CannotOpen as error:
            raise Unusable(str(error)) from error
        credentials = credentials_for(own, partial(sdk_session, names), region=region)
        stack.push_async_callback(credentials.close)
        session.register_component("credential_provider", Provider(credentials))
        return cls(settings, stack, region, names, session, credentials, authorities)

    async def s3(self) -> Service:
        bucket = self.settings.bucket
        if not bucket:
            return Unasked()
        async with AsyncExitStack() as own:
            client = await self._client("s3", own)
            try:
                route, sums = await to_s3(client, bucket, authorities=self.authorities)
            except Detour as detour:
                return self._by_sdk(client, own, {"Bucket": bucket}, detour)
        return s3.S3(self._caller(route, s3.said), route.path, sums)

    async def sqs(self) -> Service:
        url = self.settings.url
        async with AsyncExitStack() as own:
            client = await self._client("sqs", own)
            try:
                route = await to_sqs(client, url, authorities=self.authorities)
            except Detour as detour:
                return self._by_sdk(client, own, {"QueueUrl": url}, detour)
        return sqs.Sqs(self._caller(route, sqs.said), route.path, url)

    def _caller(self, route: Route, reads: Callable[[Answer], Said]) -> Caller:
        pool = Pool(
            route.peer, names=self.names, limit=CONNECTIONS, connect_timeout=CONNECT
        )
        self.stack.push_async_callback(pool.close)
        return Caller(pool, route.signer, self.credentials, reads)

    def _by_sdk(
        self,
        client: Any,  # noqa: ANN401 - the SDK has no types
        own: AsyncExitStack,
        given: dict[str, str],
        detour: Detour,
    ) -> Service:
        self.stack.push_async_callback(own.pop_all().aclose)
        service = client.meta.service_model.service_id
        log.line(
            logging.INFO,
            "queue",
            service=str(service),
            by="the SDK's client",
            why=str(detour),
        )
        return SdkService(client, given)

    async def _client(self, service: str, own: AsyncExitStack) -> Any:  # noqa: ANN401
        endpoint = self.settings.endpoint_url
        try:
            return await own.enter_async_context(
                self.session.create_client(
                    service,
                    region_name=self.region or None,
                    endpoint_url=endpoint or None,
                    config=AioConfig(
                        http_session_cls=StraightSession,
                        connector_args={"resolver": Resolver(self.names)},
                        connect_timeout=CONNECT,
                        read_timeout=None,  # each call has its own clock
                        max_pool_connections=CONNECTIONS,
                        retries={"total_max_attempts": 1, "mode": "standard"},
                        s3={"addressing_style": "path"} if endpoint else None,
                    ),
                )
            )
        except (BotoCoreError, ValueError) as error:
            raise Unusable(
                log.without_logins(
                    f"no {service.upper()} client can be made of queue.region = "
                    f"{self.region!r} and queue.endpointUrl: {error}; set queue.region"
                )
            ) from error
