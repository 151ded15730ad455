"""Opens the way to SES, once for the life of the process: direct where it can be."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from relay import log
from relay.delivery.transport import Transport
from relay.ses import endpoint
from relay.ses.client_settings import ClientSettings
from relay.ses.http.pool import Pool
from relay.ses.parameters import RequestSettings
from relay.ses.quota import SesAccount
from relay.ses.sdk_client import connect
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport


@dataclass(frozen=True, slots=True)
class Ses:
    """Who sends, by which settings, and who knows the account."""

    transport: Callable[[RequestSettings], Transport]
    account: SesAccount


@asynccontextmanager
async def open_ses(client: ClientSettings) -> AsyncIterator[Ses]:
    """Open the way; all transports of it share its connections.

    Asks nobody: a network that is away is no reason not to start. Raises CannotOpen.
    """
    async with connect(client) as connection:
        account = SesAccount(connection, timeout=client.attempt_timeout)
        try:
            way = await endpoint.find(connection)
        except endpoint.Detour as detour:
            log.line(logging.INFO, "ses", by="the SDK's client", why=str(detour))
            by_sdk = partial(
                SdkTransport, connection, attempt_timeout=client.attempt_timeout
            )
            yield Ses(lambda settings: by_sdk(settings=settings), account)
            return
        pool = Pool(
            way.peer,
            names=connection.names,
            limit=client.concurrency,
            connect_timeout=client.connect_timeout,
        )
        direct = partial(
            DirectTransport,
            connection,
            way.target,
            pool,
            attempt_timeout=client.attempt_timeout,
        )
        try:
            yield Ses(lambda settings: direct(settings=settings), account)
        finally:
            await pool.close()
