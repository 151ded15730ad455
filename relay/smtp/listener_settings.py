"""The settings of one listener, and what else all its sessions share."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from relay.model.guard import Guard
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.model.suppression import AtRcpt
from relay.smtp.doorkeeper import NOWHERE, Doorkeeper, Limits, Networks

if TYPE_CHECKING:  # only listeners with users want it, and what it imports
    from relay.smtp.logins import Logins

# The second argument tells whether the client has left meanwhile.
Accept = Callable[[Submission, Callable[[], bool]], Coroutine[Any, Any, Reply]]
TlsContext = Callable[[], ssl.SSLContext]  # asked for each handshake


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """What all sessions of one listener share."""

    name: str
    hostname: str
    accept: Accept
    limits: Limits
    allow: Networks
    doorkeeper: Doorkeeper
    stopping: asyncio.Event
    unix: bool = False  # its clients come by a file, which says who may; not `allow`
    usage: str = ""
    starttls: TlsContext | None = None  # for one of the two at most
    implicit_tls: TlsContext | None = None
    require_tls: bool = False
    auth: Literal["off", "optional", "required", "any"] = "off"
    insecure_auth: bool = False
    logins: Logins | None = None
    proxies: Networks = NOWHERE
    guard: Guard | None = None
    # Asked for each time: it comes after the first greeting.
    suppression: Callable[[], AtRcpt | None] = lambda: None

    def may_be_suppressed(self, recipient: str) -> bool:
        """Tell, at once, whether `suppressed` may have anything to say."""
        listed = self.suppression()
        if listed is None or not listed.is_known(recipient):
            return False
        # What the guard keeps from it goes elsewhere.
        return self.guard is None or self.guard.allows(recipient)

    async def suppressed(self, recipient: str) -> Reply | None:
        """What the client hears whose recipient gets no mail; None: it may."""
        listed = self.suppression()
        return None if listed is None else await listed.refusal(recipient)
