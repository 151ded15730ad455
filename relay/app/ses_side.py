"""SES as the settings want it: who asks it, what each call carries, how it opens."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType

from relay import config
from relay.config.models import Ses
from relay.ses.client_settings import ClientSettings
from relay.ses.parameters import RequestSettings
from relay.ses.when_open import OpenSes, SesWhenOpen
from relay.system.process import CannotStart


def client_settings(ses: Ses) -> ClientSettings:
    """Who asks SES, and where."""
    return ClientSettings(
        access_key_id=config.revealed(ses.access_key_id),
        access_key_secret=config.revealed(ses.access_key_secret),
        region=ses.region,
        role_arn=ses.role_arn,
        endpoint_url=ses.endpoint_url,
        connect_timeout=ses.connect_timeout,
        attempt_timeout=ses.attempt_timeout,
        concurrency=ses.concurrency,
    )


def request_settings(ses: Ses) -> RequestSettings:
    """What every SES call of an account carries by the settings."""
    return RequestSettings(
        from_arn=ses.email_address_identity_arn,
        feedback_address=ses.feedback_forwarding_email_address,
        feedback_arn=ses.feedback_forwarding_email_address_identity_arn,
        configuration_set=ses.configuration_set_name,
        tenant=ses.tenant_name,
        feedback_to_sender=ses.feedback_to_sender,
    )


class Opener:
    """Opens ways to SES until the stack ends; `on_open` when all of them are open."""

    def __init__(self, stack: AsyncExitStack, *, on_open: Callable[[], None]) -> None:
        self._stack = stack
        self._on_open = on_open
        self._closed = 0
        self._import = asyncio.Lock()

    def ses_when_open(self, account: config.Sending) -> SesWhenOpen:
        """A way that opens once it runs."""
        self._closed += 1
        return SesWhenOpen(partial(self.open, account), on_open=self._opened)

    def _opened(self) -> None:
        self._closed -= 1
        if not self._closed:
            self._on_open()

    async def open(self, account: config.Sending) -> OpenSes:
        """Open the way to SES until the stack ends. Raises CannotStart."""
        async with self._import:
            # In a thread: the SDK's import takes longer than all else, and clients
            # connect.
            sdk_client, opener = await asyncio.to_thread(_import_sdk)
        try:
            opened: OpenSes = await self._stack.enter_async_context(
                opener.open_ses(client_settings(account.ses))
            )
        except sdk_client.CannotOpen as error:
            place = f"{account.place}: " if account.key else ""
            raise CannotStart(f"{place}{error}") from error
        return opened


async def try_to_open(settings: config.Config) -> None:
    """Open each way as a start would, and close it. Raises CannotStart."""
    doors = {account.door: account for account in config.accounts(settings)}
    async with AsyncExitStack() as stack:
        opener = Opener(stack, on_open=lambda: None)
        for account in doors.values():
            await opener.open(account)


def _import_sdk() -> tuple[ModuleType, ModuleType]:
    from relay.ses import sdk_data

    gc.collect()  # so that the SDK fills the holes
    sdk_data.read_ahead()
    from relay.ses import open as opener
    from relay.ses import sdk_client

    return sdk_client, opener
