"""What happens to mail behind the listeners, put together from the settings.

Apart from `serve`, because a client can be greeted before any of it is here: importing
and building it takes long (docs/performance.md, "Start and memory").
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from relay import config, log
from relay.app.figures import figures
from relay.app.guard import guard as read_guard
from relay.app.guard import keeps
from relay.app.outlets import Outlet, outlets
from relay.app.places import Places
from relay.app.preparation import preparation
from relay.app.rules import rules as read_rules
from relay.app.templates import templates as read_templates
from relay.app.web_side import WebSide
from relay.delivery import Delivery
from relay.delivery.admission import Admission
from relay.delivery.limits import LimitedDelivery
from relay.delivery.once import OnceDelivery
from relay.intake.accept import Intake
from relay.intake.large_mail import LargeMailLimit
from relay.model.guard import KEPT, Guard
from relay.observe.events import Event, Events
from relay.observe.heartbeat import Heartbeat
from relay.observe.maillog import MailLog
from relay.queue import Notes
from relay.rules.rules import RuleError, Rules
from relay.smtp.doorkeeper import Doorkeeper
from relay.system import process
from relay.system.process import CannotStart
from relay.system.threads import Threads
from relay.templates.catalog import TemplateError, Templates

if TYPE_CHECKING:  # no relay needs all of them
    from relay.capture.inbox import Captured, Inbox
    from relay.queue.sqlite import SqliteQueue

# The part of `limits.memory` that large mails may have while they are worked on.
WORKED_ON = 0.4
# How many of them are worked on at once. Python runs one thread at a time; with more,
# a small one of them does not wait for the largest.
PREPARED_AT_ONCE = 4
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
        rules: Rules | None,
        *,
        queue: SqliteQueue | None,
        doorkeeper: Doorkeeper,
        page: Sequence[socket.socket],
        health: Sequence[socket.socket],
        places: Places,
        listening: Sequence[socket.socket],
        captured: Callable[[Captured], None],
        stack: AsyncExitStack,
    ) -> None:
        """What opens here ends with `stack`; `captured` is told of captured mail.

        `page` and `health` are the sockets that the page and the probes are asked at,
        `places` how many may ask at one time.
        """
        warnings = (
            *templates.warnings,
            *config.warnings(settings),
            *config.exposed(settings, os.environ),
        )
        for warning in warnings:
            log.line(logging.WARNING, "settings", warning=warning)
        guard = read_guard(settings)
        inbox = _inbox(settings)
        leaving = outlets(
            settings,
            stack,
            inbox=inbox,
            captured=captured,
            guard=guard,
            on_open=partial(say_ready, settings, templates),
        )
        doors = list({id(one.door): one.door for one in leaving}.values())
        ways_to_ses = [door.ses for door in doors if door.ses is not None]
        web = WebSide(
            settings, templates, inbox=inbox, page=page, health=health, places=places
        )
        events = _events(settings, web, stack)
        notes = _notes(settings, queue)
        delivery, gates, workers = _delivery(
            settings, leaving, events, guard, queue, notes
        )
        limited = LimitedDelivery(delivery, notes=notes, events=events)
        recalling = OnceDelivery(limited, notes=notes, events=events)
        intake = _intake(settings, templates, rules, guard, delivery, recalling, events)
        web.stats.now = figures(doorkeeper, leaving, gates, queue)
        heartbeat = Heartbeat(web.stats) if web.serves else None
        server = web.server(
            accept=intake.accept,
            request={one.account: one.request for one in leaving},
            listening=listening,
            queue=queue,
            is_open=lambda: all(way.is_open for way in ways_to_ses),
            stack=stack,
        )
        self.accept = intake.accept
        self.stop_within = delivery.stop_within
        parts: Sequence[process.Service | None] = (
            *(door.source for door in doors),
            *workers,
            heartbeat,
            *ways_to_ses,
            server,
        )
        self.services = [part for part in parts if part is not None]
        if not ways_to_ses:  # else they have to open first
            say_ready(settings, templates)


def templates(settings: config.Config, *, samples_too: bool = False) -> Templates:
    """The templates of the settings, fit for all ways in. Raises CannotStart."""
    try:
        found = read_templates(settings, samples_too=samples_too)
    except (config.ConfigError, TemplateError) as error:
        raise CannotStart(str(error)) from error
    if config.revealed(settings.intake.token) and (
        nameless := [
            template.source.place for template in found.all if not template.names_sender
        ]
    ):
        raise CannotStart(
            "\n".join(
                f"{place}: sendFrom: has no address, and mail by HTTP (intake.token) "
                "has no From of its own; set ses.emailAddress, or an address here"
                for place in nameless
            )
        )
    return found


def rules(settings: config.Config, templates: Templates) -> Rules | None:
    """The rules of the settings, None where there are none. Raises CannotStart."""
    try:
        return read_rules(settings, templates)
    except RuleError as error:
        raise CannotStart(str(error)) from error


def say_ready(settings: config.Config, templates: Templates) -> None:
    """Tell whoever waits for it that mail is taken and goes out."""
    # What is here now lives as long as the process: no need to look at it again.
    gc.enable()
    gc.collect()
    gc.freeze()
    _give_back_memory()
    # Nearly all that a mail leaves goes without the collector, which with its own
    # numbers takes every mail some time to look for the rest.
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
    """Return to the system what the start has freed, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


def _inbox(settings: config.Config) -> Inbox | None:
    """Where mail is kept that goes nowhere, if some is."""
    if settings.transport != "capture" and not keeps(settings):
        return None
    from relay.capture.inbox import Inbox

    return Inbox()


def _events(settings: config.Config, web: WebSide, stack: AsyncExitStack) -> Events:
    """Who is told of what happens to mail: the log first."""
    maillog = MailLog(
        masked=settings.log.addresses == "masked",
        captures=settings.transport == "capture",
    )
    return Events([maillog, *web.observers, *_traces(stack)])


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


def _notes(settings: config.Config, queue: SqliteQueue | None) -> Notes:
    """What remembers mail that was taken: the spool, else this process."""
    if queue is not None:
        return queue.notes
    from relay.queue.memory_notes import MemoryNotes

    return MemoryNotes(now=time.monotonic, keep_keys=settings.queue.keep_keys)


def _delivery(
    settings: config.Config,
    leaving: Sequence[Outlet],
    events: Events,
    guard: Guard | None,
    queue: SqliteQueue | None,
    notes: Notes,
) -> tuple[Delivery, Mapping[str, Admission], Sequence[process.Service]]:
    """How mail leaves; with a queue each account's gate, and what runs for it."""
    # Each imported in its branch: no relay needs the other's memory.
    if queue is None:
        from relay.app.without_queue import routes
        from relay.delivery.immediate import ImmediateDelivery

        immediate = ImmediateDelivery(
            routes=routes(leaving, looks=settings.queue.slow_delays),
            events=events,
            answer_within=settings.queue.answer_within,
            notes=notes,
        )
        return immediate, {}, ()
    from relay.app import queue_side

    ways = queue_side.ways(settings, leaving)
    delivery, workers = queue_side.queued(settings, ways, events, queue, guard)
    gates = {one.account: ways.of(one.account).gate for one in leaving}
    _log_pauses(leaving, gates)
    return delivery, gates, workers


def _log_pauses(leaving: Sequence[Outlet], gates: Mapping[str, Admission]) -> None:
    """Have the log tell when an account's mail goes elsewhere, or waits for it alone.

    Of one account its mail's own lines tell that.
    """
    own = [one for one in leaving if one.account != KEPT]
    if len(own) < 2:
        return
    for one in own:

        def tell(reason: str, one: Outlet = one) -> None:
            goes_by = None if one.fallback is None else one.fallback or config.DEFAULT
            log.line(
                logging.WARNING if reason else logging.INFO,
                "account paused" if reason else "account resumed",
                account=one.account or config.DEFAULT,
                reason=reason,
                fallback=goes_by if reason else None,
            )

        gates[one.account].on_pause(tell)


def _intake(
    settings: config.Config,
    templates: Templates,
    rules: Rules | None,
    guard: Guard | None,
    delivery: Delivery,
    recalling: OnceDelivery,
    events: Events,
) -> Intake:
    return Intake(
        preparation=preparation(settings, templates, rules, guard),
        delivery=delivery,
        recalling=recalling,
        events=events,
        answer_within=settings.queue.answer_within,
        large_mail=LargeMailLimit(int(settings.limits.memory * WORKED_ON)),
        threads=Threads("mail", PREPARED_AT_ONCE),
    )
