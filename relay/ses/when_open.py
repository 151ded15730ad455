"""A way to SES that opens while the relay takes mail already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from relay.delivery.transport import Quota, QuotaSource, Transport
from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId


class Way(Protocol):
    """Who sends, and who knows the account."""

    @property
    def transport(self) -> Transport: ...

    @property
    def account(self) -> QuotaSource: ...


class Opening:
    """A transport whose mail waits until the way to SES is open.

    The SDK takes longer to import than all else together, and no client should wait
    for it to be greeted. `opened` opens the way for the life of the process.
    """

    name = "ses"

    def __init__(
        self, opened: Callable[[], Awaitable[Way]], *, on_open: Callable[[], None]
    ) -> None:
        self._opened = opened
        self._on_open = on_open
        self._way: asyncio.Future[Way] = asyncio.get_running_loop().create_future()

    async def run(self, stopping: asyncio.Event) -> None:
        """Open the way; whatever that raises ends the relay."""
        self._way.set_result(await self._opened())
        self._on_open()
        await stopping.wait()

    @property
    def is_open(self) -> bool:
        return self._way.done()

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once, as soon as that can be."""
        way = self._way.result() if self._way.done() else await self._wait()
        return await way.transport.send(mail, mail_id)

    async def quota(self) -> Quota:
        """The account's quota, as GetAccount says it. Raises Unanswered."""
        return await (await self._wait()).account.quota()

    async def _wait(self) -> Way:
        # Shielded: who gives up waiting must not end it for the others.
        return await asyncio.shield(self._way)
