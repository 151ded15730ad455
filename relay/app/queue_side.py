"""The queue as the settings want it: the spool, and who works on what is in it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

from relay import config
from relay.delivery.admission import Admission
from relay.delivery.attempts import Attempts
from relay.delivery.dsn import Reporter
from relay.delivery.pace import Pace
from relay.delivery.queued import QueuedDelivery
from relay.delivery.transport import Transport
from relay.delivery.worker import Worker
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
                keep_keys=settings.queue.keep_keys,
            )
        )
    except file.UnusableSpool as error:
        kind = CannotStartNow if file.may_pass(error) else CannotStart
        raise kind(str(error)) from error


def gate(settings: config.Config, pace: Pace) -> Admission:
    """When the queue may send, as the settings want it."""
    return Admission(
        pace=pace,
        concurrency=settings.ses.concurrency,
        memory=int(settings.limits.memory * SENT_AT_ONCE),
        silent_after=settings.queue.answer_within,
        looks=settings.queue.slow_delays,
    )


def queued(
    settings: config.Config,
    transport: Transport,
    events: Events,
    queue: SqliteQueue,
    gate: Admission,
    *,
    accepted_as: str,
) -> tuple[QueuedDelivery, Sequence[process.Service]]:
    """The delivery by way of `queue`, and what runs for it."""
    options = settings.queue
    operator = config.address_of(options.report_to)
    policy = RetryPolicy(
        delays={
            When.SOON: options.retry_delays,
            When.SLOWLY: options.slow_delays,
            When.UNSEEN: options.unseen_delays,
        },
        give_up_after=options.give_up_after,
    )
    attempts = Attempts(
        transport=transport,
        events=events,
        queue=queue,
        admission=gate,
        policy=policy,
        reporter=Reporter(
            sender=config.address_of(options.report_from),
            operator=operator,
            author=config.address_of(settings.ses.email_address) or operator,
            hostname=socket.gethostname(),
            lifetime=options.give_up_after,
            options=SendOptions(tags=tuple(settings.ses.tags.items())),
        ),
    )
    delivery = QueuedDelivery(
        attempts=attempts,
        events=events,
        queue=queue,
        notes=queue.notes,
        admission=gate,
        policy=policy,
        answer_within=options.answer_within,
        accepted_as=accepted_as,
    )
    return delivery, (queue, Worker(queue, gate, attempts))
