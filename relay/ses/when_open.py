"""SES for mail that may come before the way to it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from relay.delivery.transport import Quota, QuotaSource, Transport
from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId
from relay.ses.parameters import RequestSettings


class OpenSes(Protocol):
    """Who sends by which settings, and who knows the account."""

    @property
    def transport(self) -> Callable[[RequestSettings], Transport]: ...

    @property
    def account(self) -> QuotaSource: ...

    @property
    def untracks(self) -> bool: ...


class SesWhenOpen:
    """One way to SES, which mail waits for until it is open.

    The SDK takes longer to import than all else together, and no client should wait
    for it to be greeted. `open_ses` opens the way.
    """

    name = "ses"

    def __init__(
        self, open_ses: Callable[[], Awaitable[OpenSes]], *, on_open: Callable[[], None]
    ) -> None:
        self._open_ses = open_ses
        self._on_open = on_open
        self._ses: asyncio.Future[OpenSes] = asyncio.get_running_loop().create_future()

    @classmethod
    def already(cls, opened: OpenSes) -> SesWhenOpen:
        """One that is open from the beginning, and needs not run."""

        async def given() -> OpenSes:
            return opened

        made = cls(given, on_open=lambda: None)
        made._ses.set_result(opened)
        return made

    async def run(self, stopping: asyncio.Event) -> None:
        """Open the way; whatever that raises ends the relay."""
        self._ses.set_result(await self._open_ses())
        self._on_open()
        await stopping.wait()

    @property
    def is_open(self) -> bool:
        return self._ses.done()

    @property
    def untracks(self) -> bool:
        """Whether calls can switch tracking off, as far as that is known by now."""
        return not self.is_open or self._ses.result().untracks

    def sender(self, settings: RequestSettings) -> Transport:
        """A transport by this way, whose calls carry what `settings` say."""
        return _Sender(self, settings)

    async def quota(self) -> Quota:
        """The account's quota, as GetAccount says it. Raises Unanswered."""
        return await (await self.opened()).account.quota()

    async def opened(self) -> OpenSes:
        """The way, once it is open."""
        # Shielded: who gives up waiting must not end it for the others.
        return await asyncio.shield(self._ses)


class _Sender:
    """A transport whose mail waits until its way is open."""

    def __init__(self, way: SesWhenOpen, settings: RequestSettings) -> None:
        self._way = way
        self._settings = settings
        self._transport: Transport | None = None

    def send(self, mail: Mail, mail_id: MailId) -> Coroutine[Any, Any, Outcome]:
        """Try once, as soon as that can be."""
        # Once it is open, no coroutine of its own: each mail would pay for it.
        if self._transport is not None:
            return self._transport.send(mail, mail_id)
        return self._send_when_open(mail, mail_id)

    def at_hand(self, mail: Mail) -> bool:
        """Tell whether it would wait for SES' answer alone."""
        return self._transport is not None and self._transport.at_hand(mail)

    async def _send_when_open(self, mail: Mail, mail_id: MailId) -> Outcome:
        opened = await self._way.opened()
        if self._transport is None:  # else another mail was first
            self._transport = opened.transport(self._settings)
        return await self._transport.send(mail, mail_id)
