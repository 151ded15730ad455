"""The way to SES, opened once for the life of the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from relay.transport import Transport
from relay.transport.access import Access
from relay.transport.account import SesAccount
from relay.transport.connection import connect
from relay.transport.plain import PlainTransport
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
        transport = PlainTransport(
            connection, settings=settings, attempt_timeout=access.attempt_timeout
        )
        yield Ses(transport, account)
