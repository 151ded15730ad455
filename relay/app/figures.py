"""How things stand in the parts that know: for the page, metrics and probes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from relay.delivery.account_pace import AccountPace
from relay.delivery.admission import Admission
from relay.delivery.pace import Pace
from relay.observe.stats import Now
from relay.queue import Unwritable
from relay.smtp.doorkeeper import Doorkeeper
from relay.system import sockets

if TYPE_CHECKING:  # not every relay needs it, or SQLite behind it
    from relay.queue.sqlite import SqliteQueue


def figures(
    doorkeeper: Doorkeeper,
    pace: Pace,
    account: AccountPace | None,
    queue: SqliteQueue | None,
    gate: Admission | None,
) -> Callable[[], Now]:
    """How things stand, asked of the parts that know."""

    def now() -> Now:
        waiting = sending = oldest = None
        if queue is not None:
            found = queue.figures()
            waiting, sending = found.waiting, found.sending
            if found.oldest is not None and waiting:
                oldest = max(queue.now() - found.oldest, 0.0)
        # SES says -1 where there is no limit.
        quota = None if account is None else account.quota
        per_day = quota.per_day if quota is not None else None
        return Now(
            quota=per_day if per_day is None or per_day > 0 else None,
            quota_used=quota.used if quota is not None else None,
            waiting=waiting,
            sending=sending,
            oldest=oldest,
            rate=pace.rate,
            full_rate=pace.full,
            connections=doorkeeper.open,
            memory=doorkeeper.memory.used,
            memory_limit=doorkeeper.memory.limit,
            paused="" if gate is None else gate.paused,
        )

    return now


def trouble(
    stopping: asyncio.Event,
    listening: Sequence[socket.socket],
    is_open: Callable[[], bool],
    queue: SqliteQueue | None,
) -> Callable[[], Awaitable[str]]:
    """What stands in the way of taking mail and keeping it, "" for nothing."""

    async def found() -> str:
        if stopping.is_set():
            return "stopping"
        if not all(map(sockets.listens, listening)):
            return "a listener is down"
        if not is_open():
            return "starting"
        if queue is not None:
            try:
                await queue.house.check()
            except Unwritable:
                return "the spool cannot be written"
        return ""

    return found
