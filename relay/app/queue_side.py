"""The queue as the settings want it: the spool, and who works on what is in it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

from relay import config
from relay.app.outlets import Outlet, names
from relay.app.senders import senders
from relay.delivery.admission import Admission, Load
from relay.delivery.attempts import Attempts
from relay.delivery.dsn import Reporter
from relay.delivery.pace import Pace
from relay.delivery.queued import QueuedDelivery
from relay.delivery.ways import NoAccount, Way, Ways
from relay.delivery.worker import Worker
from relay.model.guard import Guard
from relay.model.job import RetryPolicy
from relay.model.mail import SendOptions
from relay.model.outcome import When
from relay.observe.events import Events
from relay.queue import file
from relay.queue.sqlite import SqliteQueue, open_spool
from relay.system import process
from relay.system.process import CannotStart, CannotStartNow

# The part of `limits.memory` that mail may have which is sent at the same time.
SENT_AT_ONCE = 0.5
# Of mail whose account is gone, which asks nobody.
NOBODY_AT_ONCE = 10


async def spool(settings: config.Config, stack: AsyncExitStack) -> SqliteQueue:
    """Open the spool until the stack ends. Raises CannotStart.

    CannotStartNow where its disk is full, or another program holds it for long.
    """
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


def ways(settings: config.Config, outlets: Sequence[Outlet]) -> Ways:
    """How mail of each account leaves, and when it may."""
    load = Load(int(settings.limits.memory * SENT_AT_ONCE))

    def gate(pace: Pace, concurrency: int, *, has_fallback: bool = False) -> Admission:
        return Admission(
            pace=pace,
            concurrency=concurrency,
            load=load,
            silent_after=settings.queue.answer_within,
            looks=settings.queue.slow_delays,
            has_fallback=has_fallback,
        )

    with_fallback = {one.door for one in outlets if one.fallback is not None}
    gates = {
        one.door: gate(
            one.door.pace,
            one.door.concurrency,
            has_fallback=one.door in with_fallback,
        )
        for one in outlets
    }
    found: dict[str, Way] = {}

    def way(account: str) -> Way:
        """Its way, made after that of its fallback; the settings have no circle."""
        if account in found:
            return found[account]
        lane = [one.account for one in outlets].index(account)
        outlet = outlets[lane]
        together = (lane for lane, one in enumerate(outlets) if one.door is outlet.door)
        made = Way(
            account,
            outlet.transport,
            gates[outlet.door],
            lane,
            tuple(together),
            None if outlet.fallback is None else way(outlet.fallback),
            outlet.accepted_as,
        )
        return found.setdefault(account, made)

    gone = Way(
        "", NoAccount(), gate(Pace(), NOBODY_AT_ONCE), len(outlets), (len(outlets),)
    )
    return Ways([way(one.account) for one in outlets], gone)


def queued(
    settings: config.Config,
    ways: Ways,
    events: Events,
    queue: SqliteQueue,
    guard: Guard | None,
) -> tuple[QueuedDelivery, Sequence[process.Service]]:
    """The delivery by way of `queue`, and what runs for it."""
    options = settings.queue
    policy = RetryPolicy(
        delays={
            When.SOON: options.retry_delays,
            When.SLOWLY: options.slow_delays,
            When.UNSEEN: options.unseen_delays,
        },
        give_up_after=options.give_up_after,
    )
    attempts = Attempts(
        events=events,
        queue=queue,
        policy=policy,
        reporter=_reporter(settings, guard),
    )
    delivery = QueuedDelivery(
        attempts=attempts,
        events=events,
        queue=queue,
        ways=ways,
        notes=queue.notes,
        policy=policy,
        answer_within=options.answer_within,
    )
    return delivery, (queue, Worker(queue, ways, attempts))


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
