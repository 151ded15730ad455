"""How things stand in the parts that know: for the page, metrics and probes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from relay.app.outlets import Outlet
from relay.config import DEFAULT
from relay.delivery.admission import Admission
from relay.model.guard import KEPT
from relay.observe.stats import AccountNow, Now
from relay.queue import Unwritable
from relay.smtp.doorkeeper import Doorkeeper
from relay.system import sockets

if TYPE_CHECKING:  # not every relay needs it, or SQLite behind it
    from relay.delivery.suppression import Suppression
    from relay.queue import Spool


def figures(
    doorkeeper: Doorkeeper,
    outlets: Sequence[Outlet],
    gates: Mapping[str, Admission],
    queue: Spool | None,
    suppression: Suppression | None = None,
) -> Callable[[], Now]:
    """How things stand, asked of the parts that know; `gates` by their accounts."""
    own = [outlet for outlet in outlets if outlet.account != KEPT]

    def now() -> Now:
        waiting = sending = oldest = None
        if queue is not None:
            found = queue.figures()
            waiting, sending = found.waiting, found.sending
            if found.oldest is not None and waiting:
                oldest = max(queue.now() - found.oldest, 0.0)
        accounts = [_account(one, gates.get(one.account)) for one in own]
        first = accounts[0]
        return Now(
            quota=first.quota,
            quota_used=first.quota_used,
            waiting=waiting,
            sending=sending,
            oldest=oldest,
            rate=first.rate,
            full_rate=first.full_rate,
            connections=doorkeeper.open,
            memory=doorkeeper.memory.used,
            memory_limit=doorkeeper.memory.limit,
            paused=first.paused,
            accounts=tuple(accounts) if len(accounts) > 1 else (),
            suppressed=None if suppression is None else len(suppression),
            suppression_refused=None
            if suppression is None
            else dict(suppression.refused),
        )

    return now


def _account(outlet: Outlet, gate: Admission | None) -> AccountNow:
    """How one account stands; those of one door stand alike."""
    pace, source = outlet.door.pace, outlet.door.source
    quota = None if source is None else source.quota
    # SES says -1 where there is no limit.
    per_day = quota.per_day if quota is not None else None
    return AccountNow(
        account=outlet.account or DEFAULT,
        fallback=None if outlet.fallback is None else outlet.fallback or DEFAULT,
        paused="" if gate is None else gate.paused,
        rate=pace.rate,
        full_rate=pace.full,
        quota=per_day if per_day is None or per_day > 0 else None,
        quota_used=quota.used if quota is not None else None,
    )


def trouble(
    stopping: asyncio.Event,
    listening: Sequence[socket.socket],
    is_open: Callable[[], bool],
    queue: Spool | None,
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
                await queue.check()
            except Unwritable:
                return queue.unready
        return ""

    return found
