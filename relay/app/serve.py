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
from relay.app.places import Places, places
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.smtp.certificate import BadCertificate, Certificate, SelfSigned
from relay.smtp.doorkeeper import Doorkeeper, Limits
from relay.smtp.listener import Listener
from relay.smtp.listener_settings import Accept, ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.rate import Rate
from relay.system import open_files, process, sockets
from relay.system.process import CannotStart

if TYPE_CHECKING:  # what these bring with them comes after the first greeting
    from relay.app.mail_side import MailSide
    from relay.capture.inbox import Captured
    from relay.smtp.logins import Logins
    from relay.templates.catalog import Templates

# What Python would have for two cores.
DEFAULT_THREADS = 6


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

        try:
            listeners, listening = _listeners(
                settings, accept, doorkeeper, stopping, stack
            )
            page, health = _bind_page(settings, stack), _bind_health(settings, stack)
        except sockets.CannotListen as error:
            raise CannotStart(str(error)) from error

        async def work() -> Sequence[process.Service]:
            from relay.system.threads import Threads

            # For what goes to a thread and has none of its own: the page, the start.
            loop.set_default_executor(Threads("default", DEFAULT_THREADS))
            # In a thread, so that whoever comes meanwhile is greeted at once.
            templates = await asyncio.to_thread(
                _templates, settings, samples_too=samples_too
            )
            from relay.app.mail_side import MailSide

            queue = None
            if settings.queue.engine != "none":
                from relay.app.queue_side import spool

                queue = await spool(settings, stack)
            mail_side = MailSide(
                settings,
                templates,
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


def _templates(settings: config.Config, *, samples_too: bool) -> Templates:
    """Compile the templates, after the import of all that works on mail."""
    from relay.app import mail_side

    if settings.queue.engine != "none":
        from relay.app import queue_side  # noqa: F401 - the spool opens on the loop
    return mail_side.templates(settings, samples_too=samples_too)


def _doorkeeper(settings: config.Config, room: Places) -> Doorkeeper:
    limits = settings.limits
    return Doorkeeper(
        room.clients,
        Memory(limits.memory),
        per_client=limits.connections_per_client,
        rate=Rate(limits.messages_per_minute),
    )


def _listeners(
    settings: config.Config,
    accept: Accept,
    doorkeeper: Doorkeeper,
    stopping: asyncio.Event,
    stack: AsyncExitStack,
) -> tuple[list[Listener], list[socket.socket]]:
    limits = Limits(
        message_size=settings.limits.message_size,
        recipients=settings.limits.recipients,
        line_length=settings.limits.line_length,
        timeout=settings.limits.timeout,
    )
    tls_context = _tls_context(settings)
    logins = _logins(settings, stopping, stack)
    listeners: list[Listener] = []
    listening: list[socket.socket] = []
    for listener in settings.listeners:
        service = ListenerSettings(
            name=listener.name,
            hostname=socket.gethostname(),
            accept=accept,
            limits=limits,
            allow=listener.allow,
            doorkeeper=doorkeeper,
            stopping=stopping,
            usage=listener.usage,
            starttls=tls_context if listener.tls == "starttls" else None,
            implicit_tls=tls_context if listener.tls == "implicit" else None,
            require_tls=listener.require_tls,
            auth=listener.auth,
            insecure_auth=listener.insecure_auth,
            logins=logins,
            proxies=listener.proxies,
        )
        bound = _bind(listener.address, listener.name, stack)
        listeners.append(Listener(service, bound))
        listening += bound
    return listeners, listening


def certificate(settings: config.Config) -> Certificate | None:
    """The certificate in the files that the settings name. Raises CannotStart."""
    tls = settings.tls
    if not tls.cert_file:
        return None
    try:
        return Certificate(
            settings.directory / tls.cert_file, settings.directory / tls.key_file
        )
    except BadCertificate as error:
        raise CannotStart(f"{settings.file or 'settings'}: {error}") from error


def _tls_context(settings: config.Config) -> Callable[[], ssl.SSLContext] | None:
    """What each handshake asks for its certificate."""
    if all(listener.tls == "off" for listener in settings.listeners):
        return None
    if files := certificate(settings):
        return files.context
    try:
        made = SelfSigned(socket.gethostname())
    except BadCertificate as error:
        raise CannotStart(f"{settings.file or 'settings'}: {error}") from error
    log.line(logging.WARNING, "self-signed certificate", sha256=made.fingerprint)
    return made.context


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


def _bind(address: str, name: str, stack: AsyncExitStack) -> list[socket.socket]:
    host, port = config.host_and_port(address)
    try:
        bound = sockets.bind(host, port)
    except sockets.CannotListen as error:
        raise sockets.CannotListen(f"listener {name}: {error}") from error
    for sock in bound:
        stack.callback(sock.close)
        log.line(logging.INFO, "listening", listener=name, address=sockets.shown(sock))
    return bound


def _bind_page(settings: config.Config, stack: AsyncExitStack) -> list[socket.socket]:
    """Take the page's port now, so that a taken one is known before all else.

    A page that nobody asked for is no reason to take no mail: where its default port
    is taken, say by another relay, there is none. Raises CannotListen.
    """
    web = settings.web
    if not web.listen:
        return []
    try:
        return _bind(web.listen, "web", stack)
    except sockets.CannotListen as error:
        # Logto, which hands its mail over there, would find another relay.
        if config.revealed(settings.intake.token) or "listen" in web.given:
            raise
        log.line(
            logging.WARNING,
            "no page",
            detail=f'{error}; set web.listen to another address, or to "" for none',
        )
        return []


def _bind_health(settings: config.Config, stack: AsyncExitStack) -> list[socket.socket]:
    if not settings.health.listen:
        return []
    return _bind(settings.health.listen, "health", stack)
