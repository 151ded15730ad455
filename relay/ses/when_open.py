"""SES for mail that may come before the way to it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from relay.delivery.transport import Quota, QuotaSource, Transport
from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId


class OpenSes(Protocol):
    """Who sends, and who knows the account."""

    @property
    def transport(self) -> Transport: ...

    @property
    def account(self) -> QuotaSource: ...

    @property
    def untracks(self) -> bool: ...


class SesWhenOpen:
    """A transport whose mail waits until the way to SES is open.

    The SDK takes longer to import than all else together, and no client should wait
    for it to be greeted. `open_ses` opens the way for the life of the process.
    """

    name = "ses"

    def __init__(
        self, open_ses: Callable[[], Awaitable[OpenSes]], *, on_open: Callable[[], None]
    ) -> None:
        self._open_ses = open_ses
        self._on_open = on_open
        self._ses: asyncio.Future[OpenSes] = asyncio.get_running_loop().create_future()

    async def run(self, stopping: asyncio.Event) -> None:
        """Open the way; whatever that raises ends the relay."""
        self._ses.set_result(await self._open_ses())
        self._on_open()
        await stopping.wait()

    @property
    def is_open(self) -> bool:
        return self._ses.done()

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once, as soon as that can be."""
        ses = self._ses.result() if self._ses.done() else await self._wait()
        return await ses.transport.send(mail, mail_id)

    async def quota(self) -> Quota:
        """The account's quota, as GetAccount says it. Raises Unanswered."""
        return await (await self._wait()).account.quota()

    async def _wait(self) -> OpenSes:
        # Shielded: who gives up waiting must not end it for the others.
        return await asyncio.shield(self._ses)
