"""Takes waiting mail out of the queue when it is due and an attempt may begin."""

from __future__ import annotations

import asyncio
import logging

from relay import log
from relay.delivery.admission import Admission
from relay.delivery.attempts import Attempts
from relay.queue import Queue, Unwritable

CLAIMS_AT_ONCE = 50
LOOKS_EVERY = 1.0  # seconds, whatever was said: a missed change costs no more


class Worker:
    """Claims, begins, and leaves the rest to `Attempts`; stops claiming at once."""

    name = "worker"

    def __init__(self, queue: Queue, admission: Admission, attempts: Attempts) -> None:
        self._queue = queue
        self._admission = admission
        self._attempts = attempts
        self._wake = asyncio.Event()
        self._resumed = False
        queue.on_change(self._wake.set)
        admission.on_change(self._wake.set)
        admission.on_resume(self._resume)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, then until what is in hand has ended."""
        try:
            while not stopping.is_set():
                self._wake.clear()
                try:
                    if await self._work():
                        continue
                except Unwritable as error:
                    log.line(logging.ERROR, "waiting mail rests", detail=str(error))
                    await asyncio.sleep(LOOKS_EVERY)
                await self._rest()
            while self._admission.busy:  # a mail may just be on its way into the queue
                await self._attempts.drained()
                await asyncio.sleep(0.01)
        finally:
            await self._attempts.drained()

    async def _work(self) -> bool:
        """Do what there is to do now; tell whether there may be more."""
        if self._resumed:
            self._resumed = False
            await self._queue.due_now()
        if await self._attempts.fail_expired():
            return True
        room = self._admission.room(CLAIMS_AT_ONCE) if self._queue.is_due() else 0
        if not room:
            return False
        # Entered before the queue is asked: meanwhile clients enter, too.
        slots = [self._admission.enter(0, 1) for _ in range(room)]
        try:
            claims = await self._queue.claim(room, size=self._admission.free_bytes)
        except BaseException:
            for slot in slots:
                self._admission.leave(slot, None)
            raise
        for claim in claims:
            slot = slots.pop()
            mail = claim.job.mail
            self._admission.correct(
                slot, len(mail.content), len(mail.envelope.recipients)
            )
            self._attempts.begin_claimed(claim, slot)
        for slot in slots:
            self._admission.leave(slot, None)
        if not claims:
            self._wake.clear()  # those were our own
        return bool(claims)

    async def _rest(self) -> None:
        within = LOOKS_EVERY
        due = self._queue.due_in()
        if due is not None:
            opens = self._admission.opens_in() if due == 0 else due
            if opens is not None:
                within = min(within, opens)
        try:
            async with asyncio.timeout(within):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _resume(self) -> None:
        self._resumed = True
        self._wake.set()
