"""What happens to mail behind the listeners, put together from the settings.

Apart from `app`, because a client can be greeted before any of it is here: importing
and building it would be a third of the time to the first 220 (measured).
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from relay import config, log
from relay.app.figures import figures
from relay.app.templates import templates as read_templates
from relay.app.web_side import WebSide
from relay.delivery import Delivery
from relay.delivery.account_pace import AccountPace
from relay.delivery.admission import Admission
from relay.delivery.pace import Pace
from relay.delivery.transport import QuotaSource, Transport, attempt_seconds
from relay.intake.accept import Intake
from relay.intake.large_mail import LargeMailLimit
from relay.intake.prepare import Preparation
from relay.model.mail import Mail
from relay.observe.events import Event, Events
from relay.observe.heartbeat import Heartbeat
from relay.observe.maillog import MailLog
from relay.ses.client_settings import ClientSettings
from relay.ses.parameters import RequestSettings
from relay.ses.when_open import Opening, Way
from relay.smtp.doorkeeper import Doorkeeper
from relay.system import process
from relay.system.process import CannotStart
from relay.templates.catalog import TemplateError, Templates

if TYPE_CHECKING:  # no relay needs all of them
    from relay.capture.inbox import Captured, Inbox
    from relay.queue.sqlite import SqliteQueue

# The part of `limits.memory` that large mails may have while they are worked on.
WORKED_ON = 0.4
# Where traces go, in OpenTelemetry's own words; one of them turns them on.
OTLP_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


class MailSide:
    """Takes submissions, and has all that works on them: `services`."""

    def __init__(
        self,
        settings: config.Config,
        templates: Templates,
        *,
        queue: SqliteQueue | None,
        doorkeeper: Doorkeeper,
        page: Sequence[socket.socket],
        health: Sequence[socket.socket],
        listening: Sequence[socket.socket],
        captured: Callable[[Captured], None],
        stack: AsyncExitStack,
    ) -> None:
        """What opens here ends with `stack`; `captured` is told of captured mail.

        `page` and `health` are the sockets that the page and the probes are asked at.
        """
        for warning in (*templates.warnings, *config.warnings(settings)):
            log.line(logging.WARNING, "settings", warning=warning)
        captures = settings.transport == "capture"
        opening: Opening | None = None
        transport: Transport
        inbox: Inbox | None = None
        if captures:
            from relay.capture.inbox import Inbox
            from relay.capture.transport import CaptureTransport

            inbox = Inbox()
            transport = CaptureTransport(
                inbox, settings=request_settings(settings), captured=captured
            )
        else:
            transport = opening = Opening(
                partial(_open_ses, settings, stack),
                on_open=partial(say_ready, settings, templates),
            )
        watch = WebSide(settings, templates, inbox=inbox, page=page, health=health)
        events = Events(
            [
                MailLog(masked=settings.log.addresses == "masked", captures=captures),
                *watch.observers,
                *_traces(stack),
            ]
        )
        pace, account = _pace(settings, opening)
        services: list[process.Service] = [account] if account is not None else []
        gate: Admission | None = None
        delivery: Delivery
        # Each in its branch, because a relay without the other's is 1 MB smaller.
        if queue is None:
            from relay.delivery.immediate import DirectDelivery

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
            from relay.app import queue_side

            gate = queue_side.gate(settings, pace)
            delivery, workers = queue_side.queued(
                settings,
                transport,
                events,
                queue,
                gate,
                accepted_as=_accepted_as(settings),
            )
            services += workers
        relay = Intake(
            intake=intake(settings, templates),
            delivery=delivery,
            events=events,
            answer_within=settings.queue.answer_within,
            room=LargeMailLimit(int(settings.limits.memory * WORKED_ON)),
        )
        self.accept = relay.accept
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
        if opening is not None:
            services.append(opening)
        self.services: Sequence[process.Service] = [*services, server]
        self.stop_within = delivery.stop_within
        if opening is None:  # else the way to SES has to open first
            say_ready(settings, templates)


def templates(settings: config.Config, *, samples_too: bool = False) -> Templates:
    """The templates of the settings, fit for all ways in. Raises Unusable."""
    try:
        found = read_templates(settings, samples_too=samples_too)
    except (config.ConfigError, TemplateError) as error:
        raise CannotStart(str(error)) from error
    if config.revealed(settings.intake.token) and (
        nameless := [one.source.place for one in found.all if not one.names_sender]
    ):
        raise CannotStart(
            "\n".join(
                f"{place}: sendFrom: has no address, and mail by HTTP (intake.token) "
                "has no From of its own; set ses.emailAddress, or an address here"
                for place in nameless
            )
        )
    return found


def say_ready(settings: config.Config, templates: Templates) -> None:
    """Tell whoever waits for it that mail is taken and goes out."""
    # What is here now lives as long as the process: no need to look at it again.
    gc.enable()
    gc.collect()
    gc.freeze()
    _give_back_memory()
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
    process.notify("READY=1")


def _give_back_memory() -> None:
    """Return to the system what the start has freed, 2 MB (measured), where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


def intake(settings: config.Config, templates: Templates) -> Preparation:
    """The intake as the settings want it."""
    return Preparation(
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
    settings: config.Config, account: QuotaSource | None
) -> tuple[Pace, AccountPace | None]:
    """The pace, and who keeps it where the account says it."""
    rate = settings.pace.rate
    if rate != "auto":
        return Pace(rate), None
    pace = Pace()
    if account is None:
        return pace, None
    return pace, AccountPace(account, pace, share=settings.pace.share)


def ses_access(settings: config.Config) -> ClientSettings:
    """Who asks SES, and where."""
    ses = settings.ses
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


def _attempt_seconds(settings: config.Config) -> Callable[[Mail], float]:
    if settings.transport == "capture":
        return lambda mail: 0.0
    return partial(attempt_seconds, settings.ses.attempt_timeout)


async def _open_ses(settings: config.Config, stack: AsyncExitStack) -> Way:
    """Open the way to SES until the stack ends. Raises Unusable."""
    # In a thread: the SDK's import takes longer than all else, and clients connect.
    sdk_client, opener = await asyncio.to_thread(_import_sdk)
    try:
        opened: Way = await stack.enter_async_context(
            opener.open_ses(ses_access(settings), settings=request_settings(settings))
        )
    except sdk_client.CannotOpen as error:
        raise CannotStart(str(error)) from error
    return opened


def _import_sdk() -> tuple[ModuleType, ModuleType]:
    from relay.ses import sdk_data

    gc.collect()  # so that the SDK fills the holes, 0.4 MB (measured)
    sdk_data.read_ahead()
    from relay.ses import open as opener
    from relay.ses import sdk_client

    return sdk_client, opener


def _traces(stack: AsyncExitStack) -> list[Callable[[Event], None]]:
    """An observer that traces mail, where OpenTelemetry's environment asks for it."""
    asked = [name for name in OTLP_ENDPOINTS if os.environ.get(name)]
    if not asked:
        return []
    try:
        from relay.observe.traces import Traces, wanted
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
