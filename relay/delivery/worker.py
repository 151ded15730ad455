"""Takes waiting mail out of the queue when it is due and an attempt may begin."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from relay import log
from relay.delivery.admission import Admission
from relay.delivery.attempts import Attempts
from relay.delivery.ways import Turn, Ways
from relay.queue import Queue, Unwritable

CLAIMS_AT_ONCE = 50
LOOKS_EVERY = 1.0  # seconds, whatever was said: a missed change costs no more


class Worker:
    """Claims, begins, and leaves the rest to `Attempts`; stops claiming at once.

    `take` gives it other ways, for what it claims from then on.
    """

    name = "worker"

    def __init__(self, queue: Queue, ways: Ways, attempts: Attempts) -> None:
        self._queue = queue
        self._ways = ways
        self._attempts = attempts
        self._wake = asyncio.Event()
        self._resumed: set[int] = set()  # the lanes of these accounts' mail
        queue.on_change(self._wake.set)
        self._gates: set[Admission] = set()  # that tell of what happens
        self._hear(ways)

    def take(self, ways: Ways, attempts: Attempts) -> None:
        """Go on by other ways."""
        self._gates = {gate for gate in self._gates if gate.busy or gate in ways.gates}
        self._hear(ways)
        # What kept an account's mail may be over, now that it is another one.
        self._resumed.update(ways.opened_since(self._ways))
        self._ways, self._attempts = ways, attempts
        self._wake.set()

    def _hear(self, ways: Ways) -> None:
        for gate in ways.gates:
            if gate not in self._gates:
                self._gates.add(gate)
                gate.on_change(self._wake.set)
                gate.on_resume(partial(self._resume, gate))

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, then until what is in hand has ended."""
        try:
            while not stopping.is_set():
                self._wake.clear()
                for gate in self._gates:
                    gate.awaited = True
                try:
                    if await self._work():
                        continue
                except Unwritable as error:
                    log.line(logging.ERROR, "waiting mail rests", detail=str(error))
                    await asyncio.sleep(LOOKS_EVERY)
                await self._rest()
            # A mail may just be on its way into the queue.
            while any(gate.busy for gate in self._gates):
                await self._attempts.drained()
                await asyncio.sleep(0.01)
        finally:
            await self._attempts.drained()

    async def _work(self) -> bool:
        """Do what there is to do now; tell whether there may be more."""
        if self._resumed:
            resumed, self._resumed = sorted(self._resumed), set()
            await self._queue.due_now(resumed)
        ways, attempts = self._ways, self._attempts
        attempts.use.enter()
        try:
            if await attempts.fail_expired():
                return True
            some = False
            for turn in ways.turns():
                some |= await self._begin(turn, ways, attempts)
            return some
        finally:
            attempts.use.leave()

    async def _begin(self, turn: Turn, ways: Ways, attempts: Attempts) -> bool:
        """Begin what may leave by one gate; tell whether there was some."""
        gate = turn.gate
        room = gate.room(CLAIMS_AT_ONCE) if self._queue.is_due(lanes=turn.lanes) else 0
        if not room:
            return False
        # Entered before the queue is asked: meanwhile clients enter, too.
        slots = [gate.enter(0, 1) for _ in range(room)]
        try:
            claims = await self._queue.claim(
                room, size=gate.free_bytes, lanes=turn.lanes, unmarked=turn.guests
            )
        except BaseException:
            for slot in slots:
                gate.leave(slot, None)
            raise
        for claim in claims:
            slot = slots.pop()
            mail = claim.job.mail
            gate.correct(slot, len(mail.content), len(mail.envelope.recipients))
            account = mail.options.account
            way = turn.by.get(self._queue.lane(account))
            if way is None:  # a spool that was damaged: by this gate, but its own way
                way = replace(ways.of(account), gate=gate)
            attempts.begin_claimed(claim, way, slot)
        for slot in slots:
            gate.leave(slot, None)
        if not claims:
            self._wake.clear()  # those were our own
        return bool(claims)

    async def _rest(self) -> None:
        within = LOOKS_EVERY
        for turn in self._ways.turns():
            due = self._queue.due_in(turn.lanes)
            turn.gate.awaited = due == 0
            if due is not None:
                opens = turn.gate.opens_in() if due == 0 else due
                if opens is not None:
                    within = min(within, opens)
        try:
            async with asyncio.timeout(within):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _resume(self, gate: Admission) -> None:
        self._resumed.update(self._ways.waiting_for(gate))
        self._wake.set()
