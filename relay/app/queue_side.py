"""The queue as the settings want it: the spool, and who works on what is in it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from relay import config
from relay.app.doors import Door
from relay.app.in_force import InForce
from relay.app.outlets import Outlet, longest_attempt, names
from relay.app.senders import senders
from relay.delivery.admission import Admission, Load
from relay.delivery.attempts import Attempts, Work
from relay.delivery.dsn import Reporter
from relay.delivery.pace import Pace
from relay.delivery.queued import QueuedDelivery
from relay.delivery.use import Use
from relay.delivery.ways import NoAccount, Way, Ways
from relay.delivery.worker import Worker
from relay.model.guard import Guard
from relay.model.job import Replaced, RetryPolicy
from relay.model.mail import SendOptions
from relay.model.outcome import When
from relay.model.submission import MailId
from relay.observe.events import Events, Overtaken
from relay.queue import Spool, file
from relay.queue.sqlite import open_spool
from relay.system import process
from relay.system.process import CannotStart, CannotStartNow

# The part of `limits.memory` that mail may have which is sent at the same time.
SENT_AT_ONCE = 0.5
# Of mail whose account is gone, which asks nobody.
NOBODY_AT_ONCE = 10
NOBODY = "\n"  # names no account


async def spool(settings: config.Config, stack: AsyncExitStack) -> Spool:
    """Open the queue until the stack ends. Raises CannotStart.

    CannotStartNow where its disk is full, or another program holds it for long.
    """
    if settings.queue.engine == "sqs":
        from relay.app.fleet_side import fleet_queue

        return await fleet_queue(settings, stack)
    try:
        return await stack.enter_async_context(
            open_spool(
                config.spool_path(settings),
                keep_sent=settings.queue.keep_sent,
                keep_failed=settings.queue.keep_failed,
                accounts=names(settings),
                keep_keys=settings.queue.keep_keys,
            )
        )
    except file.UnusableSpool as error:
        kind = CannotStartNow if file.may_pass(error) else CannotStart
        raise kind(str(error)) from error


class QueueSide:
    """Makes the deliveries by way of the queue, one for each set of settings.

    The spool, its worker, the gates and the mail in hand outlive them.
    """

    def __init__(self, queue: Spool, events: Events) -> None:
        self._queue = queue
        self._events = events
        self._load = Load(0)
        self._gates: dict[Door | None, Admission] = {}
        self._work = Work()
        self._worker: Worker | None = None
        queue.on_room(self._room)
        queue.on_overtaken(self._overtaken)

    def delivery(
        self, in_force: InForce, outlets: Sequence[Outlet], use: Use
    ) -> tuple[QueuedDelivery, Mapping[str, Admission]]:
        """The delivery of this set from now on, and the gate of each account.

        `use` counts who holds on to the set's outlets.
        """
        settings, options = in_force.settings, in_force.settings.queue
        queue = self._queue
        queue.take(
            accounts=names(settings),
            attempt_timeout=longest_attempt(settings),
            keep_sent=options.keep_sent,
            keep_failed=options.keep_failed,
            keep_keys=options.keep_keys,
        )
        ways = self._ways(settings, outlets)
        policy = RetryPolicy(
            delays={
                When.SOON: options.retry_delays,
                When.SLOWLY: options.slow_delays,
                When.UNSEEN: options.unseen_delays,
            },
            give_up_after=options.give_up_after,
        )
        attempts = Attempts(
            events=self._events,
            queue=queue,
            policy=policy,
            reporter=_reporter(settings, in_force.guard),
            use=use,
            work=self._work,
        )
        if self._worker is None:
            self._worker = Worker(queue, ways, attempts)
        else:
            self._worker.take(ways, attempts)
        delivery = QueuedDelivery(
            attempts=attempts,
            events=self._events,
            queue=queue,
            ways=ways,
            notes=queue.notes,
            policy=policy,
            answer_within=options.answer_within,
        )
        gates = {one.account: ways.of(one.account).gate for one in outlets}
        return delivery, gates

    @property
    def services(self) -> Sequence[process.Service]:
        """What runs for all of them."""
        return [self._queue, *([self._worker] if self._worker else [])]

    def _room(self, most: int) -> int:
        """How many attempts could begin now, by the gate that has most room."""
        rooms = [
            gate.room(most) for door, gate in self._gates.items() if door is not None
        ]
        return max(rooms, default=0)

    def _overtaken(self, older: Replaced, by: MailId) -> None:
        self._events.emit(Overtaken(older, by=by))

    def _ways(self, settings: config.Config, outlets: Sequence[Outlet]) -> Ways:
        """How mail of each account leaves, and when it may."""
        self._load.limit = int(settings.limits.memory * SENT_AT_ONCE)
        with_fallback = {one.door for one in outlets if one.fallback is not None}
        before, self._gates = self._gates, {}
        for door in (None, *dict.fromkeys(one.door for one in outlets)):
            gate = before.get(door) or Admission(
                pace=Pace() if door is None else door.pace,
                concurrency=NOBODY_AT_ONCE if door is None else door.concurrency,
                load=self._load,
                silent_after=settings.queue.answer_within,
                looks=settings.queue.slow_delays,
            )
            gate.take(
                silent_after=settings.queue.answer_within,
                looks=settings.queue.slow_delays,
                has_fallback=door in with_fallback,
            )
            self._gates[door] = gate
        found: dict[str, Way] = {}
        by_name = {one.account: one for one in outlets}

        def way(outlet: Outlet) -> Way:
            """Its way, made after that of its fallback; no circle is in settings."""
            if outlet.account in found:
                return found[outlet.account]
            door, fallback = outlet.door, outlet.fallback
            together = (
                self._queue.lane(one.account) for one in outlets if one.door is door
            )
            made = Way(
                outlet.account,
                outlet.transport,
                self._gates[door],
                self._queue.lane(outlet.account),
                tuple(together),
                None if fallback is None else way(by_name[fallback]),
                outlet.accepted_as,
            )
            return found.setdefault(outlet.account, made)

        nobody = self._queue.lane(NOBODY)
        gone = Way("", NoAccount(), self._gates[None], nobody, (nobody,))
        return Ways([way(one) for one in outlets], gone)


def _reporter(settings: config.Config, guard: Guard | None) -> Reporter:
    """Who writes reports; they leave by the account of their own From."""
    options = settings.queue
    sender = config.address_of(options.report_from)
    operator = config.address_of(options.report_to)
    author = config.address_of(settings.ses.email_address) or operator
    by = senders(settings).of(sender or author)
    return Reporter(
        sender=sender,
        operator=operator,
        author=author,
        hostname=socket.gethostname(),
        lifetime=options.give_up_after,
        options=SendOptions(tags=tuple(by.tags.items()), account=by.account),
        guard=guard,
    )
