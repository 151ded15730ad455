"""The way to SES, opened once for the life of the process: direct where it can be."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from relay import log
from relay.transport import Transport, route
from relay.transport.access import Access
from relay.transport.account import SesAccount
from relay.transport.connection import connect
from relay.transport.direct import DirectTransport
from relay.transport.plain import PlainTransport
from relay.transport.pool import Pool
from relay.transport.request import RequestSettings


@dataclass(frozen=True, slots=True)
class Ses:
    """Who sends, and who knows the account."""

    transport: Transport
    account: SesAccount


@asynccontextmanager
async def open_ses(access: Access, *, settings: RequestSettings) -> AsyncIterator[Ses]:
    """Open the transport.

    Asks nobody: a network that is away is no reason not to start. Raises Unusable.
    """
    async with connect(access) as connection:
        account = SesAccount(connection, timeout=access.attempt_timeout)
        try:
            way = await route.find(connection)
        except route.Detour as detour:
            log.line(logging.INFO, "ses", by="the SDK's client", why=str(detour))
            plain = PlainTransport(
                connection, settings=settings, attempt_timeout=access.attempt_timeout
            )
            yield Ses(plain, account)
            return
        pool = Pool(
            way.server,
            limit=access.concurrency,
            connect_timeout=access.connect_timeout,
        )
        direct = DirectTransport(
            connection,
            way.target,
            pool,
            settings=settings,
            attempt_timeout=access.attempt_timeout,
        )
        try:
            yield Ses(direct, account)
        finally:
            await pool.close()
