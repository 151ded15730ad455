"""The front of the relay: its listeners, who may come in there, and what they show.

What has to hold before a client is greeted: the ports are ours, the certificate can be
read. What becomes of mail is `mail_side`'s.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from relay import config, log
from relay.app.activated import activated
from relay.app.binder import Binder
from relay.app.guard import guard
from relay.app.places import REFUSED, Places, places
from relay.model.guard import Guard
from relay.model.suppression import AtRcpt
from relay.smtp.certificate import BadCertificate, Certificate, SelfSigned
from relay.smtp.doorkeeper import Doorkeeper, Limits, Networks
from relay.smtp.listener import Listener
from relay.smtp.listener_settings import Accept, ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.rate import Rate
from relay.system.door import Crowd
from relay.system.process import CannotStart

if TYPE_CHECKING:  # what these bring with them comes after the first greeting
    from relay.app.in_force import InForce
    from relay.smtp.logins import Logins


class Front:
    """All listeners, whatever the settings say of them; `take` gives them others."""

    def __init__(
        self,
        settings: config.Config,
        certificate: Certificate | SelfSigned | None,
        room: Places,
        *,
        accept: Accept,
        stopping: asyncio.Event,
        stack: AsyncExitStack,
    ) -> None:
        self._stopping = stopping
        self._stack = stack
        self._logins: Logins | None = None
        limits = settings.limits
        self._connections = limits.connections  # as the settings want them
        self.suppression: AtRcpt | None = None  # comes after the first greeting
        self.doorkeeper = Doorkeeper(
            room.clients,
            Memory(limits.memory),
            crowd=Crowd(room.clients + REFUSED),
            per_client=limits.connections_per_client,
            rate=Rate(limits.messages_per_minute),
        )
        self._first = self._services(settings, certificate, guard(settings), accept)
        self.listeners: list[Listener] = []
        self.listening: list[socket.socket] = []

    async def bind(self, settings: config.Config, binder: Binder) -> None:
        """Take the listeners' addresses. Raises CannotListen."""
        given = activated({one.name: one.address for one in settings.listeners})
        for name, listening in given.items():
            binder.keep(listening, name)
        for listener, service in zip(settings.listeners, self._first, strict=True):
            bound = given.get(listener.name)
            if bound is None:
                bound = await binder.bound(
                    listener.address, listener.name, mode=listener.socket_mode
                )
            self.listeners.append(Listener(service, bound))
            self.listening += bound

    def take(self, in_force: InForce, accept: Accept) -> None:
        """Go on by another set, whose listeners have the same addresses.

        Mail that comes from here on is for `accept`.
        """
        settings, limits = in_force.settings, in_force.settings.limits
        keeper = self.doorkeeper
        if limits.connections != self._connections:
            self._connections = limits.connections
            keeper.connections = places(settings).clients
            keeper.crowd.take(keeper.connections + REFUSED)
        keeper.memory.limit = limits.memory
        keeper.per_client = limits.connections_per_client
        keeper.rate.take(limits.messages_per_minute)
        services = self._services(
            settings, in_force.certificate, in_force.guard, accept
        )
        for listener, service in zip(self.listeners, services, strict=True):
            listener.take(service)

    def _services(
        self,
        settings: config.Config,
        certificate: Certificate | SelfSigned | None,
        who_may_get_mail: Guard | None,
        accept: Accept,
    ) -> list[ListenerSettings]:
        limits = Limits(
            message_size=settings.limits.message_size,
            recipients=settings.limits.recipients,
            line_length=settings.limits.line_length,
            timeout=settings.limits.timeout,
        )
        tls = certificate.context if certificate else None
        logins = self._with_users(settings)
        return [
            ListenerSettings(
                name=listener.name,
                hostname=socket.gethostname(),
                accept=accept,
                limits=limits,
                allow=Networks(listener.allow),
                unix=bool(config.unix_path(listener.address)),
                doorkeeper=self.doorkeeper,
                stopping=self._stopping,
                usage=listener.usage,
                starttls=tls if listener.tls == "starttls" else None,
                implicit_tls=tls if listener.tls == "implicit" else None,
                require_tls=listener.require_tls,
                auth=listener.auth,
                insecure_auth=listener.insecure_auth,
                logins=logins,
                proxies=Networks(listener.proxies),
                guard=who_may_get_mail,
                suppression=lambda: self.suppression,
            )
            for listener in settings.listeners
        ]

    def _with_users(self, settings: config.Config) -> Logins | None:
        """Who may log in; None: there are no users."""
        if not settings.users:
            if self._logins is not None:
                self._logins.take(())
            return None
        from relay.smtp.logins import Logins, User
        from relay.smtp.senders import Senders

        users = [
            User(
                name=user.name,
                password_hash=config.revealed(user.password_hash),
                senders=Senders(user.senders),
                usage=user.usage,
            )
            for user in settings.users
        ]
        if self._logins is None:
            self._logins = Logins(users, stopping=self._stopping)
            self._stack.callback(self._logins.close)
        else:
            self._logins.take(users)
        return self._logins


def certificate(
    settings: config.Config,
    note: config.Note = lambda path: None,
    before: Certificate | SelfSigned | None = None,
) -> Certificate | SelfSigned | None:
    """What the listeners show in TLS, where one speaks it. Raises CannotStart.

    `note` is told of each file before it is read. One that was made here stays.
    """
    if all(listener.tls == "off" for listener in settings.listeners):
        return None
    tls = settings.tls
    try:
        if tls.cert_file:
            paths = (
                settings.directory / tls.cert_file,
                settings.directory / tls.key_file,
            )
            for path in paths:
                note(path)
            return Certificate(*paths)
        if isinstance(before, SelfSigned):
            return before
        return SelfSigned(socket.gethostname())
    except BadCertificate as error:
        raise CannotStart(f"{settings.file or 'settings'}: {error}") from error


def tell_of(certificate: Certificate | SelfSigned | None) -> None:
    """Log how one that was made here can be known."""
    if isinstance(certificate, SelfSigned):
        sha256 = certificate.fingerprint
        log.line(logging.WARNING, "self-signed certificate", sha256=sha256)
