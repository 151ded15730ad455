"""Opens the way to SES, once for the life of the process: direct where it can be."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from relay import log
from relay.delivery.transport import Transport
from relay.ses import endpoint
from relay.ses.client_settings import ClientSettings
from relay.ses.http.pool import Pool
from relay.ses.parameters import RequestSettings
from relay.ses.quota import SesAccount
from relay.ses.sdk_client import connect
from relay.ses.sdk_request import Detour
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport


@dataclass(frozen=True, slots=True)
class Ses:
    """Who sends, by which settings, and who knows the account.

    `untracks`: calls can switch tracking off.
    """

    transport: Callable[[RequestSettings], Transport]
    account: SesAccount
    untracks: bool


@asynccontextmanager
async def open_ses(client: ClientSettings) -> AsyncIterator[Ses]:
    """Open the way; all transports of it share its connections.

    Asks nobody: a network that is away is no reason not to start. Raises CannotOpen.
    """
    async with connect(client) as connection:
        untracks = _knows_tracking(connection.client)
        account = SesAccount(connection, timeout=client.attempt_timeout)
        try:
            way = await endpoint.find(connection)
        except Detour as detour:
            log.line(logging.INFO, "ses", by="the SDK's client", why=str(detour))
            by_sdk = partial(
                SdkTransport, connection, attempt_timeout=client.attempt_timeout
            )
            yield Ses(
                lambda settings: by_sdk(settings=replace(settings, overrides=untracks)),
                account,
                untracks,
            )
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
            yield Ses(
                lambda settings: direct(settings=replace(settings, overrides=untracks)),
                account,
                untracks,
            )
        finally:
            await pool.close()


def _knows_tracking(client: Any) -> bool:  # noqa: ANN401 - the SDK has no types
    """Tell whether SendEmail, as this release of the SDK has it, can be told of it."""
    call = client.meta.service_model.operation_model("SendEmail").input_shape
    overrides = call.members.get("ConfigurationOverrides")
    return overrides is not None and "Tracking" in overrides.members
