"""What happens to mail behind the listeners, whatever the settings say of it.

Apart from `serve`, because a client can be greeted before any of it is here: importing
and building it takes long (docs/performance.md, "Start and memory"). Here is what
outlives a set of settings; what does not is a `MailSet`.
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
from relay.app import suppression
from relay.app.doors import Door, Doors, pace_of
from relay.app.figures import figures
from relay.app.hooks_side import HooksSide
from relay.app.in_force import InForce, tell_warnings
from relay.app.mail_set import MailSet
from relay.app.outlets import outlets
from relay.app.pauses import log_pauses
from relay.app.places import Places
from relay.app.ses_side import Opener
from relay.app.web_side import WebSide
from relay.capture.inbox import Inbox
from relay.delivery.limits import LimitedDelivery, UnderWay
from relay.delivery.once import OnceDelivery
from relay.delivery.pace import Pace
from relay.delivery.use import Use
from relay.intake.accept import Intake
from relay.intake.large_mail import LargeMailLimit
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe.events import Event, Events
from relay.observe.heartbeat import Heartbeat
from relay.observe.maillog import MailLog
from relay.observe.settings_read import SettingsRead
from relay.queue.memory_notes import MemoryNotes
from relay.smtp.doorkeeper import Doorkeeper
from relay.system import process
from relay.system.threads import Threads

if TYPE_CHECKING:  # no relay needs all of them
    from relay.app.queue_side import QueueSide
    from relay.app.without_queue import WithoutQueue
    from relay.capture.inbox import Captured
    from relay.queue import Notes, Spool

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
    """Takes submissions, and has all that works on them: `services`.

    `take` puts another set in force than that of the start.
    """

    def __init__(
        self,
        first: InForce,
        *,
        queue: Spool | None,
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
        settings = first.settings
        self._queue = queue
        self._doorkeeper = doorkeeper
        self._captured = captured
        self._inbox = Inbox()
        self.read = SettingsRead(first.hash, first.at)
        tell_warnings(first.warnings)
        accounts = config.accounts(settings)
        opener = None
        if settings.transport != "capture":
            opener = Opener(on_open=partial(self._all_open, first))
        self.doors = Doors(opener, pace=pace_of(settings))
        stack.push_async_callback(self.doors.close)
        ways_to_ses = self.doors.begin(accounts)
        self._kept = Door(((), 0.0, 0.0, accounts[0].ses.concurrency), Pace())
        self._web = WebSide(
            first, self.read, inbox=self._inbox, page=page, health=health, places=places
        )
        if settings.web.listen:
            doorkeeper.told = self._web.turned_away
        self._maillog = MailLog(
            masked=settings.log.addresses == "masked",
            captures=settings.transport == "capture",
        )
        events = Events([self._maillog, *self._web.observers, *_traces(stack)])
        self._events = events
        self._hooks = HooksSide(settings, queue, events, stack)
        self._web.stats.webhooks = self._hooks.figures
        self._notes = _notes(settings, queue)
        self.suppression = suppression.suppression(settings, queue)
        self._makes = _makes(events, queue, self._notes)
        self._large_mail = LargeMailLimit(int(settings.limits.memory * WORKED_ON))
        self._threads = Threads("mail", PREPARED_AT_ONCE)
        # What is under way of limited templates, and with a key.
        self._under_way: dict[tuple[str, str], UnderWay] = {}
        self._keys: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._sets: list[MailSet] = []  # the last is in force, others end their mail
        self._made(first, self.doors.take(accounts))
        server = self._web.server(
            accept=self.accept,
            in_force=lambda: self._sets[-1],
            listening=listening,
            queue=queue,
            is_open=self._is_open,
            stack=stack,
        )
        heartbeat = Heartbeat(self._web.stats) if self._web.serves else None
        parts: Sequence[process.Service | None] = (
            self.doors,
            *self._makes.services,
            self.suppression,
            heartbeat,
            self._hooks,
            *ways_to_ses,
            server,
        )
        self.services = [part for part in parts if part is not None]
        if settings.events.url and settings.transport != "capture":
            from relay.app.events_side import EventsSide

            remembers = self.suppression
            hears = EventsSide(
                lambda: self.in_force,
                self._events,
                self._web,
                queue,
                stack,
                keeps=() if remembers is None else (remembers.keep,),
            )
            self.services.append(hears)
        if not ways_to_ses:  # else they have to open first
            say_ready(first)

    @property
    def in_force(self) -> InForce:
        """The set that new mail takes."""
        return self._sets[-1].in_force

    async def accept(
        self, submission: Submission, left: Callable[[], bool] = lambda: False
    ) -> Reply:
        """Take what `submission` asks for, by the set in force."""
        return await self._sets[-1].accept(submission, left)

    def stop_within(self, seconds: float) -> None:
        """Begin nothing that would not end in time."""
        for one in self._sets:
            one.stop_within(seconds)

    def take(self, now: InForce, opened: Sequence[Door]) -> MailSet:
        """Put a set in force, with the doors that were opened for it.

        The one before ends the mail that it has; then what only it used is closed.
        """
        before = self._sets[-1]
        settings = now.settings
        doors = self.doors.take(config.accounts(settings), opened)
        self._maillog.take(masked=settings.log.addresses == "masked")
        self._large_mail.take(int(settings.limits.memory * WORKED_ON))
        if isinstance(self._notes, MemoryNotes):
            self._notes.take(keep_keys=settings.queue.keep_keys)
        made = self._made(now, doors)
        self._web.take(now)
        self.doors.retire(before.use, partial(self._ended, before))
        return made

    def _ended(self, old: MailSet) -> list[Door]:
        """Forget a set whose mail has ended: the doors that nobody uses any more."""
        self._sets.remove(old)
        used = {door for one in self._sets for door in one.doors}
        return [door for door in old.doors if door not in used]

    def _made(self, now: InForce, doors: Mapping[tuple[str, ...], Door]) -> MailSet:
        settings = now.settings
        suppresses = suppression.take(self.suppression, settings)
        leaving = outlets(
            settings,
            doors,
            inbox=self._inbox,
            captured=self._captured,
            guard=now.guard,
            kept=self._kept,
            suppression=suppresses,
        )
        use = Use()
        delivery, gates = self._makes.delivery(now, leaving, use)
        log_pauses(leaving, gates)
        limited = LimitedDelivery(
            delivery,
            notes=self._notes,
            events=self._events,
            under_way=self._under_way,
        )
        once = OnceDelivery(
            limited, notes=self._notes, events=self._events, in_hand=self._keys
        )
        intake = Intake(
            preparation=now.preparation,
            delivery=delivery,
            recalling=once,
            events=self._events,
            answer_within=settings.queue.answer_within,
            large_mail=self._large_mail,
            threads=self._threads,
            suppression=suppresses,
        )
        made = MailSet(
            now, leaving, use=use, intake=intake, delivery=delivery, gates=gates
        )
        self._sets.append(made)
        self._hooks.take(settings)
        self._web.stats.now = figures(
            self._doorkeeper, leaving, gates, self._queue, suppresses
        )
        return made

    async def opened(self) -> None:
        """Wait until all ways to SES of the set in force are open."""
        for door in self._sets[-1].doors:
            if door.ses is not None:
                await door.ses.opened()

    def _all_open(self, first: InForce) -> None:
        if not self.doors.untracks:
            tell_warnings(first.tracked)
        say_ready(first)

    def _is_open(self) -> bool:
        """Tell whether all ways to SES of the set in force are open."""
        ways = (door.ses for door in self._sets[-1].doors)
        return all(way is None or way.is_open for way in ways)


def say_ready(first: InForce) -> None:
    """Tell whoever waits for it that mail is taken and goes out."""
    gc.enable()
    settle_memory()
    # Nearly all that a mail leaves goes without the collector, which with its own
    # numbers takes every mail some time to look for the rest.
    gc.set_threshold(10_000, 20, 20)
    log.line(
        logging.INFO,
        "ready",
        transport=first.settings.transport,
        queue=first.settings.queue.engine,
        usages=list(first.templates.usages),
        settings=first.hash,
    )
    process.notify("READY=1")


def settle_memory() -> None:
    """Free what nobody holds any more, and look at the rest as there to stay."""
    # What is here now lives long: no need to look at it again and again.
    gc.collect()
    gc.freeze()
    _give_back_memory()


def _give_back_memory() -> None:
    """Return to the system what the start has freed, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


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


def _notes(settings: config.Config, queue: Spool | None) -> Notes:
    """What remembers mail that was taken: the spool, else this process."""
    if queue is not None:
        return queue.notes
    return MemoryNotes(now=time.monotonic, keep_keys=settings.queue.keep_keys)


def _makes(
    events: Events, queue: Spool | None, notes: Notes
) -> QueueSide | WithoutQueue:
    """What makes the delivery of each set."""
    # Each imported in its branch: no relay needs the other's memory.
    if queue is None:
        from relay.app.without_queue import WithoutQueue

        return WithoutQueue(events, notes)
    from relay.app.queue_side import QueueSide

    return QueueSide(queue, events)
