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
from relay.ses.client_settings import ClientSettings
from relay.ses.parameters import RequestSettings
from relay.ses.when_open import OpenSes, SesWhenOpen
from relay.system.process import CannotStart


def client_settings(settings: config.Config) -> ClientSettings:
    """Who asks SES, and where."""
    ses = settings.ses
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


def request_settings(settings: config.Config) -> RequestSettings:
    """What every SES call carries by the settings."""
    ses = settings.ses
    return RequestSettings(
        from_arn=ses.email_address_identity_arn,
        feedback_address=ses.feedback_forwarding_email_address,
        feedback_arn=ses.feedback_forwarding_email_address_identity_arn,
        configuration_set=ses.configuration_set_name,
        tenant=ses.tenant_name,
        feedback_to_sender=ses.feedback_to_sender,
    )


def ses_when_open(
    settings: config.Config, stack: AsyncExitStack, *, on_open: Callable[[], None]
) -> SesWhenOpen:
    """SES, which opens once it runs and until the stack ends."""
    return SesWhenOpen(partial(_open_ses, settings, stack), on_open=on_open)


async def try_to_open(settings: config.Config) -> list[str]:
    """Open the way as a start would, and close it: the warnings. Raises CannotStart."""
    async with AsyncExitStack() as stack:
        return _warnings(settings, await _open(settings, stack))


async def _open_ses(settings: config.Config, stack: AsyncExitStack) -> OpenSes:
    """Open the way to SES until the stack ends, and say what it lacks."""
    opened = await _open(settings, stack)
    for warning in _warnings(settings, opened):
        log.line(logging.WARNING, "settings", warning=warning)
    return opened


def _warnings(settings: config.Config, opened: OpenSes) -> list[str]:
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


async def _open(settings: config.Config, stack: AsyncExitStack) -> OpenSes:
    """Open the way to SES until the stack ends. Raises CannotStart."""
    # In a thread: the SDK's import takes longer than all else, and clients connect.
    sdk_client, opener = await asyncio.to_thread(_import_sdk)
    try:
        opened: OpenSes = await stack.enter_async_context(
            opener.open_ses(
                client_settings(settings), settings=request_settings(settings)
            )
        )
    except sdk_client.CannotOpen as error:
        raise CannotStart(str(error)) from error
    return opened


def _import_sdk() -> tuple[ModuleType, ModuleType]:
    from relay.ses import sdk_data

    gc.collect()  # so that the SDK fills the holes
    sdk_data.read_ahead()
    from relay.ses import open as opener
    from relay.ses import sdk_client

    return sdk_client, opener
