"""Who has logged in, in one session: the answer to AUTH (RFC 4954), and the failures.

How credentials are asked for is told by `auth`, who may log in by `logins`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from relay.model.reply import Reply
from relay.smtp import auth, replies
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.wire import Wire

if TYPE_CHECKING:  # only listeners with users want it, and what it imports
    from relay.smtp.logins import User

FAILED_LOGINS = 5


class Log(Protocol):
    """Writes a line that names the client."""

    def __call__(self, level: int, event: str, /, **fields: object) -> None: ...


class Login:
    """The login of one session; with `done`, `user` is None where anybody may."""

    def __init__(
        self, service: ListenerSettings, wire: Wire, *, peer: str, log: Log
    ) -> None:
        self._service = service
        self._wire = wire
        self._peer = peer
        self._log = log
        self._failed = 0
        self.done = False
        self.user: User | None = None

    def forget(self) -> None:
        """Forget who has logged in, but not how often it failed."""
        self.done = False
        self.user = None

    def holds(self, service: ListenerSettings) -> bool:
        """Tell whether who has logged in still may by `service`, and take note of how.

        Not where the user is gone, or has another password.
        """
        if self.user is None or service is self._service:
            return True
        now = None if service.logins is None else service.logins.same(self.user)
        if now is None:
            return False
        self.user = now
        return True

    @property
    def offered(self) -> bool:
        """Whether EHLO offers AUTH as things stand."""
        return not self.done and self._allowed()

    def _allowed(self) -> bool:
        service = self._service
        if service.auth == "off" or self._wire.tls:
            return service.auth != "off"
        # `any` is for loopback alone, and its passwords open nothing.
        return not service.require_tls and (
            service.insecure_auth or service.auth == "any"
        )

    async def answer(self, argument: str, *, greeted: bool, in_mail: bool) -> Reply:
        """Carry AUTH out; `greeted`: after EHLO or HELO, `in_mail`: after MAIL.

        After HELO, too, which offers nothing: printers say it and log in all the same.
        """
        if self._service.auth == "off":
            return replies.NOT_OFFERED
        if not greeted:
            return replies.EHLO_FIRST
        if self.done:
            return replies.LOGGED_IN_ALREADY
        if in_mail:
            return replies.NOT_IN_MAIL
        if not argument:
            return replies.BAD_PARAMETER
        if not self._allowed():
            return replies.LOGIN_NEEDS_TLS
        try:
            given = await auth.credentials(self._ask, argument)
        except auth.Ended as ended:
            return ended.reply
        return await self._check(given)

    async def _ask(self, challenge: str) -> bytes | None:
        await self._wire.reply(challenge)
        return await self._wire.command(auth.RESPONSE_LENGTH)

    async def _check(self, given: auth.Credentials) -> Reply:
        logins = self._service.logins
        if self._service.auth != "any" and logins is not None:
            try:
                self.user = await logins.check(given, self._peer)
            except MemoryError:
                self._log(logging.ERROR, "no memory to compare a password")
                return replies.NO_LOGIN_NOW
            if self.user is None:
                # An unknown name may be a password in the wrong field.
                known = given.name if logins.knows(given.name) else ""
                self._log(logging.WARNING, "login failed", name=known)
                self._failed += 1
                too_many = self._failed >= FAILED_LOGINS
                return replies.TOO_MANY_LOGINS if too_many else replies.WRONG_LOGIN
        self.done = True
        self._log(logging.DEBUG, "logged in")
        return replies.LOGGED_IN
