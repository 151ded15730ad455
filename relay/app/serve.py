"""Build the front of the relay from the settings, run all of it, stop it in order.

What has to hold before a client is greeted is here: the ports are ours, the certificate
can be read. What becomes of mail, templates and spool included, is built in
`mail_side` once the listeners serve, and mail waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from relay import config, log
from relay.app.guard import guard
from relay.app.places import REFUSED, Places, places
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.smtp.certificate import BadCertificate, Certificate, SelfSigned
from relay.smtp.doorkeeper import Doorkeeper, Limits, Networks
from relay.smtp.listener import Listener
from relay.smtp.listener_settings import Accept, ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.rate import Rate
from relay.system import open_files, process, sockets
from relay.system.door import Crowd
from relay.system.process import CannotStart, CannotStartNow

if TYPE_CHECKING:  # what these bring with them comes after the first greeting
    from relay.app.mail_side import MailSide
    from relay.capture.inbox import Captured
    from relay.rules.rules import Rules
    from relay.smtp.logins import Logins
    from relay.templates.catalog import Templates

# What Python would have for two cores.
DEFAULT_THREADS = 6


# Seconds in which an address that cannot be had is tried again, and how often: the
# relay before this one may be on its way out, or the network on its way in.
PATIENCE = 5.0
TRIED_EVERY = 0.2


async def serve(
    settings: config.Config,
    *,
    captured: Callable[[Captured], None],
    samples_too: bool = False,
) -> None:
    """Run the relay until a signal; `captured` is told of each captured mail.

    `samples_too`: with sample templates where the settings have none. Raises
    CannotStart, TimeoutError when work had to be cut off, and an ExceptionGroup when
    a part broke; CannotStart after the listeners opened is inside such a group.
    """
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        stopping = asyncio.Event()
        open_files.tell_once(loop)
        room = places(settings)
        doorkeeper = _doorkeeper(settings, room)
        behind: asyncio.Future[MailSide] = loop.create_future()

        async def accept(submission: Submission, left: Callable[[], bool]) -> Reply:
            # Shielded: who gives up waiting must not end it for the others.
            mail_side = (
                behind.result() if behind.done() else await asyncio.shield(behind)
            )
            return await mail_side.accept(submission, left)

        binder = _Binder(stack)
        try:
            listeners, listening = await _listeners(
                settings, accept, doorkeeper, stopping, stack, binder
            )
            page = await _bind_page(settings, binder)
            health = await _bind_health(settings, binder)
        except sockets.CannotListenNow as error:
            raise CannotStartNow(str(error)) from error
        except sockets.CannotListen as error:
            raise CannotStart(str(error)) from error

        async def work() -> Sequence[process.Service]:
            from relay.system.threads import Threads

            # For what goes to a thread and has none of its own: the page, the start.
            loop.set_default_executor(Threads("default", DEFAULT_THREADS))
            # In a thread, so that whoever comes meanwhile is greeted at once.
            templates, rules = await asyncio.to_thread(
                _compiled, settings, samples_too=samples_too
            )
            from relay.app.mail_side import MailSide

            queue = None
            if settings.queue.engine != "none":
                from relay.app.queue_side import spool

                queue = await spool(settings, stack)
            mail_side = MailSide(
                settings,
                templates,
                rules,
                queue=queue,
                doorkeeper=doorkeeper,
                page=page,
                health=health,
                places=room,
                listening=listening,
                captured=captured,
                stack=stack,
            )
            if stopping.is_set():
                mail_side.stop_within(settings.grace)
            behind.set_result(mail_side)
            return mail_side.services

        def on_stop() -> None:
            log.line(logging.INFO, "stopping", grace=settings.grace)
            process.notify("STOPPING=1")
            if behind.done():
                behind.result().stop_within(settings.grace)

        await process.run_until_signal(
            listeners, work, stopping=stopping, grace=settings.grace, on_stop=on_stop
        )
    log.line(logging.INFO, "stopped")


def _compiled(
    settings: config.Config, *, samples_too: bool
) -> tuple[Templates, Rules | None]:
    """Compile templates and rules, after the import of all that works on mail."""
    from relay.app import mail_side

    if settings.queue.engine != "none":
        from relay.app import queue_side  # noqa: F401 - the spool opens on the loop
    templates = mail_side.templates(settings, samples_too=samples_too)
    return templates, mail_side.rules(settings, templates)


def _doorkeeper(settings: config.Config, room: Places) -> Doorkeeper:
    limits = settings.limits
    return Doorkeeper(
        room.clients,
        Memory(limits.memory),
        crowd=Crowd(room.clients + REFUSED),
        per_client=limits.connections_per_client,
        rate=Rate(limits.messages_per_minute),
    )


async def _listeners(
    settings: config.Config,
    accept: Accept,
    doorkeeper: Doorkeeper,
    stopping: asyncio.Event,
    stack: AsyncExitStack,
    binder: _Binder,
) -> tuple[list[Listener], list[socket.socket]]:
    limits = Limits(
        message_size=settings.limits.message_size,
        recipients=settings.limits.recipients,
        line_length=settings.limits.line_length,
        timeout=settings.limits.timeout,
    )
    tls_context = _tls_context(settings)
    logins = _logins(settings, stopping, stack)
    who_may_get_mail = guard(settings)
    listeners: list[Listener] = []
    listening: list[socket.socket] = []
    for listener in settings.listeners:
        service = ListenerSettings(
            name=listener.name,
            hostname=socket.gethostname(),
            accept=accept,
            limits=limits,
            allow=Networks(listener.allow),
            doorkeeper=doorkeeper,
            stopping=stopping,
            usage=listener.usage,
            starttls=tls_context if listener.tls == "starttls" else None,
            implicit_tls=tls_context if listener.tls == "implicit" else None,
            require_tls=listener.require_tls,
            auth=listener.auth,
            insecure_auth=listener.insecure_auth,
            logins=logins,
            proxies=Networks(listener.proxies),
            guard=who_may_get_mail,
        )
        bound = await binder.bound(listener.address, listener.name)
        listeners.append(Listener(service, bound))
        listening += bound
    return listeners, listening


def certificate(settings: config.Config) -> Certificate | SelfSigned | None:
    """What the listeners show in TLS, where one speaks it. Raises CannotStart."""
    if all(listener.tls == "off" for listener in settings.listeners):
        return None
    tls = settings.tls
    try:
        if not tls.cert_file:
            return SelfSigned(socket.gethostname())
        return Certificate(
            settings.directory / tls.cert_file, settings.directory / tls.key_file
        )
    except BadCertificate as error:
        raise CannotStart(f"{settings.file or 'settings'}: {error}") from error


def _tls_context(settings: config.Config) -> Callable[[], ssl.SSLContext] | None:
    """What each handshake asks for its certificate."""
    found = certificate(settings)
    if isinstance(found, SelfSigned):
        log.line(logging.WARNING, "self-signed certificate", sha256=found.fingerprint)
    return found.context if found else None


def _logins(
    settings: config.Config, stopping: asyncio.Event, stack: AsyncExitStack
) -> Logins | None:
    if not settings.users:
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
    logins = Logins(users, stopping=stopping)
    stack.callback(logins.close)
    return logins


class _Binder:
    """Takes addresses until the stack ends, with `PATIENCE` for all of them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._until: float | None = None

    async def bound(
        self, address: str, name: str, *, patient: bool = True
    ) -> list[socket.socket]:
        """Listening sockets for `address`. Raises CannotListen."""
        host, port = config.host_and_port(address)
        while True:
            try:
                bound = sockets.bind(host, port)
                break
            except sockets.CannotListen as error:
                passes = patient and isinstance(error, sockets.CannotListenNow)
                text = f"listener {name}: {error}"
                if not (passes and self._waits(text)):
                    raise type(error)(text) from error
            await asyncio.sleep(TRIED_EVERY)
        for sock in bound:
            self._stack.callback(sock.close)
            shown = sockets.shown(sock)
            log.line(logging.INFO, "listening", listener=name, address=shown)
        return bound

    def _waits(self, reason: str) -> bool:
        """Tell whether there is time left, and say once that it is waited."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + PATIENCE
            log.line(logging.WARNING, "waiting", reason=reason, seconds=PATIENCE)
        return now < self._until


async def _bind_page(settings: config.Config, binder: _Binder) -> list[socket.socket]:
    """Take the page's port now, so that a taken one is known before all else.

    A page that nobody asked for is no reason to take no mail: where its default port
    is taken, say by another relay, there is none. Raises CannotListen.
    """
    web = settings.web
    if not web.listen:
        return []
    # Logto, which hands its mail over there, would find another relay.
    needed = bool(config.revealed(settings.intake.token)) or "listen" in web.given
    try:
        return await binder.bound(web.listen, "web", patient=needed)
    except sockets.CannotListen as error:
        if needed:
            raise
        log.line(
            logging.WARNING,
            "no page",
            detail=f'{error}; set web.listen to another address, or to "" for none',
        )
        return []


async def _bind_health(settings: config.Config, binder: _Binder) -> list[socket.socket]:
    if not settings.health.listen:
        return []
    return await binder.bound(settings.health.listen, "health")
