"""SES as the settings want it: who asks it, what each call carries, how it opens."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Coroutine
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


def request_settings(ses: Ses, *, tags_id: bool = False) -> RequestSettings:
    """What every SES call of an account carries by the settings."""
    return RequestSettings(
        from_arn=ses.email_address_identity_arn,
        feedback_address=ses.feedback_forwarding_email_address,
        feedback_arn=ses.feedback_forwarding_email_address_identity_arn,
        configuration_set=ses.configuration_set_name,
        tenant=ses.tenant_name,
        feedback_to_sender=ses.feedback_to_sender,
        tags_id=tags_id,
    )


def region(settings: config.Config) -> str:
    """Where SES is asked, as far as the settings and the environment say."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    found = (os.environ.get(name, "") for name in names)
    return settings.ses.region or next(filter(None, found), "")


class Opener:
    """Opens ways to SES; `on_open` when all of the start are open.

    Each is open until the stack ends that it is opened with.
    """

    def __init__(self, *, on_open: Callable[[], None]) -> None:
        self._on_open = on_open
        self._closed = 0
        self._import = asyncio.Lock()
        self._sdk: tuple[ModuleType, ModuleType] | None = None

    def ses_when_open(
        self, account: config.Sending, stack: AsyncExitStack
    ) -> SesWhenOpen:
        """A way that opens once it runs."""
        self._closed += 1
        return SesWhenOpen(partial(self.open, account, stack), on_open=self._opened)

    async def opened_beside(
        self, account: config.Sending, stack: AsyncExitStack
    ) -> SesWhenOpen:
        """A way that is open, made in a thread. Raises CannotStart.

        The SDK takes a fifth of a second to make a client, and asks nobody for it.
        """
        await self._imported()
        loop = asyncio.get_running_loop()
        opened = await asyncio.to_thread(_at_once, loop, self.open(account, stack))
        return SesWhenOpen.already(opened)

    def _opened(self) -> None:
        self._closed -= 1
        if not self._closed:
            self._on_open()

    async def open(self, account: config.Sending, stack: AsyncExitStack) -> OpenSes:
        """Open the way to SES until the stack ends. Raises CannotStart."""
        sdk_client, opener = await self._imported()
        try:
            opened: OpenSes = await stack.enter_async_context(
                opener.open_ses(client_settings(account.ses))
            )
        except sdk_client.CannotOpen as error:
            place = f"{account.place}: " if account.key else ""
            raise CannotStart(f"{place}{error}") from error
        return opened

    async def _imported(self) -> tuple[ModuleType, ModuleType]:
        if self._sdk is None:
            async with self._import:
                # In a thread: the SDK's import takes longer than all else, and clients
                # connect.
                self._sdk = await asyncio.to_thread(_import_sdk)
        return self._sdk


async def try_to_open(settings: config.Config) -> bool:
    """Open each way as a start would, and close it. Raises CannotStart.

    Tells whether calls can switch tracking off.
    """
    doors = {account.door: account for account in config.accounts(settings)}
    async with AsyncExitStack() as stack:
        opener = Opener(on_open=lambda: None)
        opened = [await opener.open(account, stack) for account in doors.values()]
    return all(one.untracks for one in opened)  # all ways are of one SDK


def _at_once(
    loop: asyncio.AbstractEventLoop, work: Coroutine[None, None, OpenSes]
) -> OpenSes:
    """Do `work` for `loop`, which waits for nothing, in this thread."""
    # What is made here asks for the loop that it will be used in.
    asyncio._set_running_loop(loop)  # noqa: SLF001 - for event loops, as this is
    try:
        work.send(None)
    except StopIteration as done:
        opened: OpenSes = done.value
        return opened
    finally:
        asyncio._set_running_loop(None)  # noqa: SLF001
    work.close()
    raise CannotStart("the SDK asks somebody to make a client; restart the relay")


def _import_sdk() -> tuple[ModuleType, ModuleType]:
    from relay.ses import sdk_data

    gc.collect()  # so that the SDK fills the holes
    sdk_data.read_ahead()
    from relay.ses import open as opener
    from relay.ses import sdk_client

    return sdk_client, opener
