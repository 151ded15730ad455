"""Build everything from the settings, run it, and stop it in order.

The only place that puts parts together; read from top to bottom it is the design.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType

from relay import config, descriptors, lifecycle, log, sockets
from relay.account import Account, AccountPace
from relay.core import Relay
from relay.delivery import Delivery
from relay.delivery.direct import DirectDelivery
from relay.delivery.queued import QueuedDelivery
from relay.delivery.worker import Worker
from relay.dsn import Reporter
from relay.events import Event, Events
from relay.gate import Gate
from relay.heartbeat import Heartbeat
from relay.inbox import Captured, Inbox
from relay.intake import Intake
from relay.maillog import MailLog
from relay.model import Mail, RetryPolicy, SendOptions, When
from relay.pace import Pace
from relay.queue import file
from relay.queue.sqlite import SqliteQueue, open_spool
from relay.room import Room
from relay.smtp.access import Doorkeeper, Limits
from relay.smtp.certificate import BadCertificate, Certificate, SelfSigned
from relay.smtp.data import Memory
from relay.smtp.listener import Listener
from relay.smtp.logins import Logins, User
from relay.smtp.rate import Rate
from relay.smtp.senders import Senders
from relay.smtp.service import Service
from relay.template import Templates
from relay.transport import Transport
from relay.transport.access import Access
from relay.transport.capture import CaptureTransport
from relay.transport.opening import Opening, Way
from relay.transport.request import RequestSettings
from relay.watch import Watch, figures

# An attempt on a large mail may take longer: bytes that add a second each.
BYTES_PER_SECOND = 100_000
# The part of `limits.memory` that large mails may have while they are worked on.
WORKED_ON = 0.4
# The part of it that mail may have which the queue sends at the same time.
SENT_AT_ONCE = 0.5


# Where traces go, in OpenTelemetry's own words; one of them turns them on.
OTLP_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


class Unusable(Exception):  # noqa: N818 - a statement, meant for the operator
    """The relay cannot start as it is set up."""


async def serve(
    settings: config.Config,
    templates: Templates,
    *,
    captured: Callable[[Captured], None],
) -> None:
    """Run the relay until a signal; `captured` is told of each captured mail.

    Raises Unusable, TimeoutError when work had to be cut off, and an ExceptionGroup
    when a part broke; the way to SES may be found Unusable after clients connected,
    inside such a group.
    """
    captures = settings.transport == "capture"
    async with AsyncExitStack() as stack:
        stopping = asyncio.Event()
        opening: Opening | None = None
        transport: Transport
        inbox: Inbox | None = None
        if captures:
            inbox = Inbox()
            transport = CaptureTransport(
                inbox, settings=request_settings(settings), captured=captured
            )
        else:
            transport = opening = Opening(
                partial(_open_ses, settings, stack),
                on_open=partial(_say_ready, settings, templates),
            )
        watch = Watch(settings, templates, inbox=inbox)
        events = Events(
            [
                MailLog(masked=settings.log.addresses == "masked", captures=captures),
                *watch.observers,
                *_traces(stack),
            ]
        )
        pace, account = _pace(settings, opening)
        services: list[lifecycle.Service] = [account] if account is not None else []
        delivery: Delivery
        queue: SqliteQueue | None = None
        gate: Gate | None = None
        if settings.queue.engine == "none":
            delivery = DirectDelivery(
                transport=transport,
                events=events,
                pace=pace,
                answer_within=settings.queue.answer_within,
                concurrency=settings.ses.concurrency,
                attempt_seconds=_attempt_seconds(settings),
                accepted_as=_accepted_as(settings),
            )
        else:
            queue = await _spool(settings, stack)
            gate = _gate(settings, pace)
            delivery = _queued(settings, transport, events, queue, gate)
            services += [queue, Worker(queue, gate, delivery)]
        relay = Relay(
            intake=intake(settings, templates),
            delivery=delivery,
            events=events,
            answer_within=settings.queue.answer_within,
            room=Room(int(settings.limits.memory * WORKED_ON)),
        )
        doorkeeper = _doorkeeper(settings)
        try:
            listeners, listening = _listeners(
                settings, relay, doorkeeper, stopping, stack
            )
            watch.bind(_bind, stack)
        except sockets.CannotListen as error:
            raise Unusable(str(error)) from error
        watch.stats.now = figures(doorkeeper, pace, account, queue, gate)
        if watch.serves:
            services.append(Heartbeat(watch.stats))
        server = watch.server(
            accept=relay.accept,
            request=request_settings(settings),
            listening=listening,
            queue=queue,
            is_open=lambda: opening is None or opening.is_open,
            stack=stack,
        )

        def on_stop() -> None:
            log.line(logging.INFO, "stopping", grace=settings.grace)
            lifecycle.notify("STOPPING=1")
            delivery.stop_within(settings.grace)

        if opening is not None:
            services.append(opening)

        def on_start() -> None:
            if opening is None:  # else the way to SES has to open first
                _say_ready(settings, templates)

        await lifecycle.run_until_signal(
            [*listeners, *services, server],
            stopping=stopping,
            grace=settings.grace,
            on_start=on_start,
            on_stop=on_stop,
        )
    log.line(logging.INFO, "stopped")


def _say_ready(settings: config.Config, templates: Templates) -> None:
    # What is here now lives as long as the process: no need to look at it again.
    gc.collect()
    gc.freeze()
    # Nearly all that a mail leaves goes without the collector, which with its own
    # numbers takes 3 % of the time looking for the rest (measured).
    gc.set_threshold(10_000, 20, 20)
    log.line(
        logging.INFO,
        "ready",
        transport=settings.transport,
        queue=settings.queue.engine,
        usages=list(templates.usages),
    )
    lifecycle.notify("READY=1")


def intake(settings: config.Config, templates: Templates) -> Intake:
    """The intake as the settings want it."""
    return Intake(
        templates=templates,
        usage_header=settings.usage_header,
        without_usage=settings.without_usage,
        client_headers=settings.ses.client_headers,
        tags=settings.ses.tags,
        usage_tag=settings.ses.usage_tag,
        reencode=settings.ses.reencode == "auto",
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


def _accepted_as(settings: config.Config) -> str:
    return "captured as" if settings.transport == "capture" else "Ok"


def _pace(
    settings: config.Config, account: Account | None
) -> tuple[Pace, AccountPace | None]:
    """The pace, and who keeps it where the account says it."""
    rate = settings.pace.rate
    if rate != "auto":
        return Pace(rate), None
    pace = Pace()
    if account is None:
        return pace, None
    return pace, AccountPace(account, pace, share=settings.pace.share)


def _gate(settings: config.Config, pace: Pace) -> Gate:
    return Gate(
        pace=pace,
        concurrency=settings.ses.concurrency,
        memory=int(settings.limits.memory * SENT_AT_ONCE),
        silent_after=settings.queue.answer_within,
        looks=settings.queue.slow_delays,
    )


async def _spool(settings: config.Config, stack: AsyncExitStack) -> SqliteQueue:
    try:
        return await stack.enter_async_context(
            open_spool(
                config.spool_path(settings),
                keep_sent=settings.queue.keep_sent,
                keep_failed=settings.queue.keep_failed,
            )
        )
    except file.Unusable as error:
        raise Unusable(str(error)) from error


def _queued(
    settings: config.Config,
    transport: Transport,
    events: Events,
    queue: SqliteQueue,
    gate: Gate,
) -> QueuedDelivery:
    options = settings.queue
    operator = config.address_of(options.report_to)
    return QueuedDelivery(
        transport=transport,
        events=events,
        queue=queue,
        gate=gate,
        policy=RetryPolicy(
            delays={
                When.SOON: options.retry_delays,
                When.SLOWLY: options.slow_delays,
                When.UNSEEN: options.unseen_delays,
            },
            give_up_after=options.give_up_after,
        ),
        reporter=Reporter(
            sender=config.address_of(options.report_from),
            operator=operator,
            author=config.address_of(settings.ses.email_address) or operator,
            hostname=socket.gethostname(),
            lifetime=options.give_up_after,
            options=SendOptions(tags=tuple(settings.ses.tags.items())),
        ),
        answer_within=options.answer_within,
        accepted_as=_accepted_as(settings),
    )


def ses_access(settings: config.Config) -> Access:
    """Who asks SES, and where."""
    ses = settings.ses
    return Access(
        access_key_id=config.revealed(ses.access_key_id),
        access_key_secret=config.revealed(ses.access_key_secret),
        region=ses.region,
        role_arn=ses.role_arn,
        endpoint_url=ses.endpoint_url,
        connect_timeout=ses.connect_timeout,
        attempt_timeout=ses.attempt_timeout,
        concurrency=ses.concurrency,
    )


def _attempt_seconds(settings: config.Config) -> Callable[[Mail], float]:
    if settings.transport == "capture":
        return lambda mail: 0.0
    timeout = settings.ses.attempt_timeout
    return lambda mail: timeout + len(mail.content) / BYTES_PER_SECOND


async def _open_ses(settings: config.Config, stack: AsyncExitStack) -> Way:
    """Open the way to SES until the stack ends. Raises Unusable."""
    # In a thread: the SDK's import takes longer than all else, and clients connect.
    connection, ses = await asyncio.to_thread(_import_sdk)
    try:
        opened: Way = await stack.enter_async_context(
            ses.open_ses(ses_access(settings), settings=request_settings(settings))
        )
    except connection.Unusable as error:
        raise Unusable(str(error)) from error
    return opened


def _import_sdk() -> tuple[ModuleType, ModuleType]:
    from relay.transport import connection, ses

    return connection, ses


def _doorkeeper(settings: config.Config) -> Doorkeeper:
    limits = settings.limits
    return Doorkeeper(
        limits.connections,
        Memory(limits.memory),
        per_client=limits.connections_per_client,
        rate=Rate(limits.messages_per_minute),
    )


def _listeners(
    settings: config.Config,
    relay: Relay,
    doorkeeper: Doorkeeper,
    stopping: asyncio.Event,
    stack: AsyncExitStack,
) -> tuple[list[Listener], list[socket.socket]]:
    wanted = settings.limits.connections + settings.ses.concurrency
    if (fit := descriptors.allow(wanted)) < wanted:
        log.line(
            logging.WARNING,
            "settings",
            warning=f"limits.connections = {settings.limits.connections}: this process "
            f"may have about {max(fit - settings.ses.concurrency, 0)}; raise its limit "
            "of open files (ulimit -n, LimitNOFILE=)",
        )
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
        service = Service(
            name=listener.name,
            hostname=socket.gethostname(),
            accept=relay.accept,
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
    """The certificate in the files that the settings name. Raises Unusable."""
    tls = settings.tls
    if not tls.cert_file:
        return None
    try:
        return Certificate(
            settings.directory / tls.cert_file, settings.directory / tls.key_file
        )
    except BadCertificate as error:
        raise Unusable(f"{settings.file or 'settings'}: {error}") from error


def _tls_context(settings: config.Config) -> Callable[[], ssl.SSLContext] | None:
    """What each handshake asks for its certificate."""
    if all(listener.tls == "off" for listener in settings.listeners):
        return None
    if files := certificate(settings):
        return files.context
    try:
        made = SelfSigned(socket.gethostname())
    except BadCertificate as error:
        raise Unusable(f"{settings.file or 'settings'}: {error}") from error
    log.line(logging.WARNING, "self-signed certificate", sha256=made.fingerprint)
    return made.context


def _logins(
    settings: config.Config, stopping: asyncio.Event, stack: AsyncExitStack
) -> Logins | None:
    if not settings.users:
        return None
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
    for one in bound:
        stack.callback(one.close)
        log.line(logging.INFO, "listening", listener=name, address=sockets.shown(one))
    return bound


def _traces(stack: AsyncExitStack) -> list[Callable[[Event], None]]:
    """An observer that traces mail, where OpenTelemetry's environment asks for it."""
    asked = [name for name in OTLP_ENDPOINTS if os.environ.get(name)]
    if not asked:
        return []
    try:
        from relay.traces import Traces, wanted
    except ImportError:
        log.line(
            logging.WARNING,
            "no traces",
            detail=f"{asked[0]} is set, but the extra is not installed: "
            "pip install 'ses-relay[otel]'",
        )
        return []
    if not wanted():
        return []
    traces = Traces()
    stack.push_async_callback(asyncio.to_thread, traces.close)
    return [traces]
