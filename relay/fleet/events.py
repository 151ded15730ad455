"""Receives SES' events from a queue in SQS and has them taken, each before it goes.

A queue that is away stops no mail: it is asked again, less and less often.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack

from relay import log
from relay.fleet.aws import FleetSettings
from relay.fleet.bell import WAIT, Bell, Received
from relay.fleet.connect import connected
from relay.model.feedback import NO_MAIL, Feedback
from relay.model.submission import MailId
from relay.observe.events import FedBack
from relay.queue import NotYet, Unwritable
from relay.ses.event import NoFact, read

AT_ONCE = 10  # messages of one receive: SQS' limit
MOST_RECEIVES = 4  # at once, while batches come full
BEHIND = 1  # seconds of a poll behind a backlog
HIDDEN = 60.0  # seconds that a message is nobody else's
AGAIN = 30.0  # seconds until a fact that could not be kept is seen again
# Seconds until one is seen again about whose mail nothing can be said yet, as long as
# attempts last; then it is told all the same.
LATER = (5.0, 5.0, 10.0, 10.0, 20.0, 30.0, 60.0, 120.0, 240.0)
STRAY = 600.0  # seconds until what is none of SES' events is seen again
RESTS = (1.0, 2.0, 5.0, 15.0)  # seconds after a receive that failed
SAYS_EVERY = 60.0  # seconds
SEEN = 10_000  # facts whose copies are known as such

# Keeps a fact, so that it is not lost with its message. Raises Unwritable, and NotYet.
Keep = Callable[[FedBack], Awaitable[None]]


class EventsReceiver:
    """A service that has each fact kept, told, and only then deletes its message.

    `mail_of` finds the relay's id by SES', `keeps` have the facts kept, `emit` tells
    the observers once, `stray` counts messages that tell nothing of mail.
    """

    name = "events"

    def __init__(
        self,
        settings: FleetSettings,
        *,
        mail_of: Callable[[str], MailId | None],
        emit: Callable[[FedBack], None],
        stray: Callable[[str], None],
        keeps: Sequence[Keep] = (),
        later: Sequence[float] = LATER,
        usage_tags: Callable[[], Collection[str]] = lambda: ("usage",),
    ) -> None:
        self._settings = settings
        self._mail_of = mail_of
        self._emit = emit
        self._stray = stray
        self._keeps = keeps
        self._later = later
        self._usage_tags = usage_tags
        self._seen: dict[str, None] = {}
        self._in_hand: set[str] = set()
        self._behind = asyncio.Event()
        self._said: dict[str, float] = {}
        self.trouble = ""  # why nothing is heard, "" for no reason

    async def run(self, stopping: asyncio.Event) -> None:
        """Receive until told to stop. Raises Unusable."""
        async with AsyncExitStack() as stack:
            _, bell = await stack.enter_async_context(connected(self._settings))
            stack.push_async_callback(bell.drained)
            tasks = [
                asyncio.create_task(self._receive(bell, number))
                for number in range(MOST_RECEIVES)
            ]
            stop = asyncio.create_task(stopping.wait())
            try:
                await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for each in (stop, *tasks):
                    each.cancel()
                await asyncio.gather(stop, *tasks, return_exceptions=True)

    async def _receive(self, bell: Bell, number: int) -> None:
        """Receive for ever; all but the first only while there is a backlog."""
        failures = 0
        while True:
            if number:
                await self._behind.wait()
            wait = BEHIND if self._behind.is_set() else WAIT
            try:
                found = await bell.receive(AT_ONCE, wait=wait, visibility=HIDDEN)
            except Unwritable as error:
                self._behind.clear()
                self._away(str(error))
                await asyncio.sleep(RESTS[min(failures, len(RESTS) - 1)])
                failures += 1
                continue
            failures = 0
            self._back()
            if len(found) >= AT_ONCE:
                self._behind.set()
            else:
                self._behind.clear()
            # Beside each other: a keep may ask somebody over the network.
            async with asyncio.TaskGroup() as group:
                for message in found:
                    group.create_task(self._take(bell, message), name="event")
                    await asyncio.sleep(0)  # mail goes first

    async def _take(self, bell: Bell, message: Received) -> None:
        try:
            await self._taken(bell, message)
        except Exception as error:  # noqa: BLE001 - no message ends the relay
            log.broken("event broken", error)
            bell.hide(message.receipt, STRAY)

    async def _taken(self, bell: Bell, message: Received) -> None:
        """Have one message taken, then deleted."""
        try:
            told = read(
                message.text,
                sent_at=message.sent_at or time.time(),
                usage_tags=self._usage_tags(),
            )
        except NoFact as stray:
            self._is_stray(stray)
            if stray.why == "test":
                bell.forget(message.receipt)
            else:
                bell.hide(message.receipt, STRAY)
            return
        key = told.key
        if key in self._in_hand:
            bell.hide(message.receipt, AGAIN)
            return
        if key not in self._seen:
            self._in_hand.add(key)
            try:
                last = message.receives > len(self._later)
                await self._told(FedBack(self._id_of(told), told), last=last)
            except Unwritable as error:
                self._say("event not kept", str(error))
                bell.hide(message.receipt, AGAIN)
                return
            except NotYet as error:
                if str(error):
                    self._say("event not kept", str(error))
                bell.hide(message.receipt, self._later[message.receives - 1])
                return
            finally:
                self._in_hand.discard(key)
            self._seen[key] = None
            while len(self._seen) > SEEN:
                del self._seen[next(iter(self._seen))]
        bell.forget(message.receipt)

    async def _told(self, event: FedBack, *, last: bool) -> None:
        """Have a fact kept, then told; `last`: it does not come again for NotYet.

        Raises Unwritable and NotYet: then it was not told.
        """
        for keep in self._keeps:
            try:
                await keep(event)
            except NotYet:
                if not last:
                    raise
        self._emit(event)

    def _id_of(self, told: Feedback) -> MailId:
        """The relay's mail: by SES' id, else by its tag."""
        return self._mail_of(told.message_id) or told.mail_id or NO_MAIL

    def _is_stray(self, stray: NoFact) -> None:
        self._stray(stray.why)
        if stray.why == "test":
            if self._may_say(stray.why):
                log.line(logging.INFO, "event test", detail="SES may write there")
            return
        if self._may_say(stray.why):
            log.line(
                logging.WARNING,
                "no event",
                why=stray.why,
                detail=f"a message in events.url is {stray}; it is left alone, and "
                "ends in the dead-letter queue, if there is one",
            )

    def _away(self, text: str) -> None:
        self.trouble = named(text)
        self._say("events not received", self.trouble)

    def _back(self) -> None:
        if self.trouble:
            self.trouble = ""
            log.line(logging.INFO, "events received again")

    def _say(self, event: str, text: str) -> None:
        if self._may_say(event):
            log.line(logging.ERROR, event, detail=text)

    def _may_say(self, what: str) -> bool:
        """Tell whether it was not said just now."""
        now = time.monotonic()
        if now - self._said.get(what, float("-inf")) < SAYS_EVERY:
            return False
        self._said[what] = now
        return True


def named(text: str) -> str:
    """What is wrong with a queue, in the words of these settings."""
    return re.sub(r"\bqueue\.(url|region|endpointUrl)\b", r"events.\1", text)
