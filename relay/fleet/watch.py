"""Looks at queue and bucket now and then: how much waits, what is in the way."""

from __future__ import annotations

import asyncio
import logging
import time

from relay import log
from relay.fleet import keys
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.trial import trial
from relay.queue import Unwritable

LOOKS_EVERY = 15.0  # seconds
LOOKS_AGAIN = 2.0  # seconds after a look that failed
SAYS_EVERY = 60.0  # seconds
NOBODY = "0.0"  # names no mail
UNTRIED = "queue and bucket were not reached yet"


class Unfit(Exception):  # noqa: N818 - a statement about the store
    """The bucket does not do what the queue stands on; the text has the cure."""


class Watch:
    """What is known of both; `tried`: the bucket does what it has to."""

    def __init__(self, bucket: Bucket, bell: Bell) -> None:
        self._bucket = bucket
        self._bell = bell
        self.waiting = self.sending = 0
        self.tried = False
        self._trouble: Unwritable | None = None
        self._looked = float("-inf")
        self._looking = asyncio.Lock()
        self._said = float("-inf")

    async def try_it(self) -> None:
        """Try the bucket, if nobody did. Raises Unfit and Unwritable."""
        if self.tried:
            return
        if wrong := await trial(self._bucket):
            raise Unfit(f"queue.bucket = {self._bucket.name!r}: {wrong}")
        self.tried = True

    def passed(self) -> None:
        """Raise Unwritable as long as nobody knows that mail can be kept there."""
        if not self.tried:
            found = self._trouble or Unwritable(UNTRIED, RuntimeError(UNTRIED))
            raise Unwritable(str(found), found.cause)

    async def check(self) -> None:
        """Raise Unwritable where mail cannot be kept now."""
        async with self._looking:
            every = LOOKS_AGAIN if self._trouble is not None else LOOKS_EVERY
            if time.monotonic() - self._looked >= every:
                await self._look()
        if self._trouble is not None:
            raise Unwritable(str(self._trouble), self._trouble.cause)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.check()
            except Unwritable as error:
                if time.monotonic() - self._said >= SAYS_EVERY:
                    self._said = time.monotonic()
                    log.line(logging.ERROR, "queue not reached", detail=str(error))
            await asyncio.sleep(LOOKS_AGAIN)

    async def _look(self) -> None:
        try:
            await self.try_it()
            found, _ = await asyncio.gather(
                self._bell.counts(), self._bucket.get(keys.state_key(NOBODY))
            )
            self.waiting, self.sending = found
            self._trouble = None
        except Unwritable as error:
            self._trouble = error
        except Unfit as error:
            self._trouble = Unwritable(str(error), error)
        self._looked = time.monotonic()
