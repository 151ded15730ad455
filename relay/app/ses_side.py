"""SES as the settings want it: who asks it, what each call carries, how it opens."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType

from relay import config, log
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

    def __init__(
        self,
        settings: config.Config,
        stack: AsyncExitStack,
        *,
        on_open: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._on_open = on_open
        self._closed = 0
        self._told = False
        self._import = asyncio.Lock()

    def ses_when_open(self, account: config.Sending) -> SesWhenOpen:
        """A way that opens once it runs."""
        self._closed += 1
        return SesWhenOpen(partial(self._open_and_tell, account), on_open=self._opened)

    async def _open_and_tell(self, account: config.Sending) -> OpenSes:
        opened = await self.open(account)
        # All ways are of one SDK, so what it lacks is said once.
        lacks = [] if self._told else _lacks(self._settings, opened)
        self._told = True
        for warning in lacks:
            log.line(logging.WARNING, "settings", warning=warning)
        return opened

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


async def try_to_open(settings: config.Config) -> list[str]:
    """Open each way as a start would, and close it: warnings. Raises CannotStart."""
    doors = {account.door: account for account in config.accounts(settings)}
    lacks: list[str] = []
    async with AsyncExitStack() as stack:
        opener = Opener(settings, stack, on_open=lambda: None)
        for account in doors.values():
            lacks = _lacks(settings, await opener.open(account))
    return lacks


def _lacks(settings: config.Config, opened: OpenSes) -> list[str]:
    """Warnings of what the settings ask for and the SDK does not know."""
    if opened.untracks:
        return []
    named: list[tuple[str, Sequence[config.models.Template | config.models.Rule]]] = [
        ("templates", settings.templates),
        ("rules", settings.rules),
    ]
    return [
        f"{name}[{number}].tracking = false: has no effect, because the installed "
        "AWS SDK knows no ConfigurationOverrides; pip install --upgrade aiobotocore"
        for name, entries in named
        for number, entry in enumerate(entries)
        if not entry.tracking
    ]


def _import_sdk() -> tuple[ModuleType, ModuleType]:
    from relay.ses import sdk_data

    gc.collect()  # so that the SDK fills the holes
    sdk_data.read_ahead()
    from relay.ses import open as opener
    from relay.ses import sdk_client

    return sdk_client, opener
