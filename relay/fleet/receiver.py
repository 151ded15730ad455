"""Receives hints while an attempt could begin; never in a pause, never to hoard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from relay import log
from relay.fleet import hint as hints
from relay.fleet.bell import LONGEST_DELAY, WAIT, Bell, Received
from relay.fleet.claims import Claims, Looked
from relay.fleet.here import Here
from relay.fleet.lease import HIDDEN, WAITS_HERE, Lease
from relay.fleet.record import Later
from relay.queue import Unwritable
from relay.queue.rows import Unreadable

AT_ONCE = 10  # messages of one receive: SQS' limit
MOST_RECEIVES = 4  # at once, while batches come full
BEHIND = 1  # seconds of a poll behind a backlog
LOOKS_EVERY = 0.2  # seconds, whether an attempt could begin
RESTS = 1.0  # seconds after a receive that failed
SAYS_EVERY = 60.0  # seconds
FOREIGN = 600.0  # seconds until what is no hint is seen again


class Receiver:
    """Fills `here`; `changed` is told when something came.

    `room` tells how many attempts, of so many at most, could begin now.
    """

    def __init__(
        self,
        bell: Bell,
        claims: Claims,
        here: Here,
        *,
        room: Callable[[int], int],
        lease: Callable[[], Lease],
        now: Callable[[], float],
        unix: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._bell = bell
        self._claims = claims
        self._here = here
        self._room = room
        self._lease = lease
        self._now = now
        self._unix = unix
        self._changed = changed
        self._look = asyncio.Event()
        self._said = float("-inf")
        self.is_behind = False  # the latest receive brought all that it could
        # All that was sent until then was received once; 0.0: that is not known.
        self.seen_until = 0.0

    def look(self) -> None:
        """See whether there is room again."""
        self._look.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Receive until told to stop."""
        receives: set[asyncio.Task[Any]] = set()
        try:
            while not stopping.is_set():
                await self._give_back_old()
                wanted = 0
                if self._free() > 0:
                    wanted = MOST_RECEIVES if self.is_behind else 1
                while len(receives) < wanted:
                    receives.add(asyncio.create_task(self._receive()))
                self._look.clear()
                look = asyncio.create_task(self._look.wait())
                done, _ = await asyncio.wait(
                    [look, *receives],
                    timeout=LOOKS_EVERY if not receives else 1.0,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                look.cancel()
                for task in receives & done:
                    task.result()
                receives -= done
        finally:
            for task in receives:
                task.cancel()
            await asyncio.gather(*receives, return_exceptions=True)

    async def give_back(self) -> None:
        """Let the others have what cannot begin any more."""
        for looked in self._here.older(float("inf")):
            self._bell.hide(looked.receipt, 0)

    def _free(self) -> int:
        return self._room(AT_ONCE + len(self._here)) - len(self._here)

    async def _receive(self) -> None:
        limit = max(1, min(self._free(), AT_ONCE))
        visibility = self._lease().of(0) + HIDDEN
        began = self._unix()
        try:
            # A backlog that has ended is to be known soon.
            wait = BEHIND if self.is_behind else WAIT
            found = await self._bell.receive(limit, wait=wait, visibility=visibility)
        except Unwritable as error:
            self._say(str(error))
            await asyncio.sleep(RESTS)
            return
        self.is_behind = len(found) >= limit
        self.seen_until = found[-1].sent_at if found else began
        for message in found:
            await self._take(message)
        if len(self._here):
            self._changed()

    async def _take(self, message: Received) -> None:
        try:
            hint = hints.read(message.text)
        except Later:
            await self._claims.leave_alone(message.receipt, "")
            return
        except Unreadable:
            log.line(
                logging.WARNING,
                "no hint",
                detail="a message in the queue is none of the relay's; it is left "
                "alone, and ends in the dead-letter queue",
            )
            self._bell.hide(message.receipt, FOREIGN)
            return
        looked = Looked(hint, message.receipt)
        wait = hint.due - self._unix()
        if wait > 1.0:
            try:
                await self._claims.later(looked, hint, min(wait, LONGEST_DELAY))
            except Unwritable as error:
                self._say(str(error))  # it comes again when it is seen again
            return
        self._here.add(looked, self._now())

    async def _give_back_old(self) -> None:
        for looked in self._here.older(self._now() - WAITS_HERE):
            try:
                await self._claims.later(looked, looked.hint, 0)
            except Unwritable as error:
                self._say(str(error))

    def _say(self, text: str) -> None:
        if self._now() - self._said >= SAYS_EVERY:
            self._said = self._now()
            log.line(logging.ERROR, "waiting mail rests", detail=text)
