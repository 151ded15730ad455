"""A client for SES of the settings and of AWS' own: region, endpoint, authorities."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from relay import log
from relay.ses.client_settings import ClientSettings
from relay.ses.credentials import Credentials, credentials_for
from relay.ses.http.names import Names
from relay.ses.sdk_data import LeanLoader
from relay.ses.sdk_session import BoundedSession, Resolver


class CannotOpen(Exception):  # noqa: N818 - a statement, meant for the operator
    """No client can be made of these settings; the text names setting and cure."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client for SES, and what it was made of.

    `authorities` is the file of those that it trusts; empty: the SDK's own.
    """

    client: Any
    credentials: Credentials
    names: Names
    region: str
    authorities: str


@asynccontextmanager
async def connect(
    settings: ClientSettings, *, attempts: int = 1
) -> AsyncIterator[Connection]:
    """Make a client of the settings and of AWS' own; raises CannotOpen."""
    # What the SDK would log about credentials (with a traceback), we say in a line.
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    async with AsyncExitStack() as stack:
        names = Names(patience=settings.connect_timeout)
        stack.callback(names.close)
        try:
            session = sdk_session(names)
            region = _region(session, settings.region)
            authorities = authorities_of(session)
            credentials = credentials_for(
                settings, partial(sdk_session, names), region=region
            )
            stack.push_async_callback(credentials.close)
            # The SDK asks this component when it makes the client.
            session.register_component("credential_provider", Provider(credentials))
            client = await stack.enter_async_context(
                session.create_client(
                    "sesv2",
                    region_name=region,
                    endpoint_url=settings.endpoint_url or None,
                    config=AioConfig(
                        connect_timeout=settings.connect_timeout,
                        # One clock per attempt, and that is the transport's: the
                        # SDK's would run while a large mail is still going out.
                        read_timeout=None,
                        max_pool_connections=settings.concurrency,
                        retries={"total_max_attempts": attempts, "mode": "standard"},
                    ),
                )
            )
        except (BotoCoreError, ValueError) as error:
            own = (
                ("ses.region", settings.region),
                ("ses.endpointUrl", settings.endpoint_url),
            )
            given = [f"{name} = {value!r}" for name, value in own if value]
            raise CannotOpen(
                log.without_logins(
                    f"no SES client can be made of {', '.join(given) or '[ses]'} and "
                    f"AWS' own settings (environment, profile): {error}"
                )
            ) from error
        yield Connection(client, credentials, names, region, authorities)


def sdk_session(names: Names) -> AioSession:
    """A session of the SDK, all of whose clients keep to our bounds."""
    session = AioSession()
    session.get_component("data_loader").file_loader = LeanLoader()
    session.set_default_client_config(
        AioConfig(
            http_session_cls=BoundedSession,
            connector_args={"resolver": Resolver(names)},
        )
    )
    return session


async def regions(names: Names) -> list[str]:
    """The regions that have SES, as far as this release of the SDK knows."""
    session = sdk_session(names)
    return [
        region
        for partition in session.get_available_partitions()
        for region in await session.get_available_regions("sesv2", partition)
    ]


class Provider:
    """Hands the SDK our credentials in place of what its chain finds at start."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> Credentials:
        return self._credentials


def _region(session: AioSession, region: str) -> str:
    """Choose the region; the SDK itself does not read AWS_REGION."""
    chosen = (
        region
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or session.get_config_variable("region")
    )
    if not chosen:
        raise CannotOpen(
            "ses.region: not set, and neither AWS_REGION, AWS_DEFAULT_REGION nor a "
            'profile names one; set it, as in region = "eu-west-1"'
        )
    return str(chosen)


def authorities_of(session: AioSession) -> str:
    """Read the file of AWS_CA_BUNDLE now; else each mail would fail for it."""
    path = session.get_config_variable("ca_bundle")
    name = "AWS_CA_BUNDLE (or the profile's ca_bundle)"
    if path is None:  # the SDK asks for this one as well
        path = os.environ.get("REQUESTS_CA_BUNDLE", "")
        name = "REQUESTS_CA_BUNDLE"
    if path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError as error:  # ssl.SSLError is one too
            raise CannotOpen(f"{name} = {path}: {error}") from error
    return str(path)
