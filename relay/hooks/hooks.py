"""All endpoints: an observer that takes down what they are to be told, and a service
that keeps it and has it brought to them.

Events wait in memory for a tenth of a second, so that one transaction of the spool has
those of many mails; what came of the requests is written with them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from relay import log
from relay.hooks.courier import Courier, Sender
from relay.hooks.endpoint import Endpoint
from relay.hooks.post import Post
from relay.hooks.told import Told, told
from relay.model.hook import OLDEST, Hook
from relay.model.submission import new_id
from relay.observe.events import Event
from relay.observe.webhook import WebhookFigures
from relay.queue import HookStore, Unwritable

GATHERED = 0.1  # seconds in which events wait for others
TRIES_EVERY = 1.0  # seconds until a spool that took nothing is asked again
MOST_UNWRITTEN = 10_000  # events that wait for such a spool; of more the oldest go
SWEEPS_EVERY = 60.0
LAST_MOMENT = 1.0  # seconds of a stop in which requests may end


class Hooks:
    """The endpoints in force and what they are told; `captures`: nothing leaves."""

    name = "webhooks"

    def __init__(
        self,
        store: HookStore,
        *,
        captures: bool = False,
        sender: Callable[[Endpoint], Sender] = Post,
    ) -> None:
        self._store = store
        self._taken = "captured" if captures else "sent"
        self._sender = sender
        self._couriers: dict[str, Courier] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._figures: dict[str, WebhookFigures] = {}
        self._wanted: frozenset[str] = frozenset()
        self._new: deque[Hook] = deque()
        self._writing: Sequence[Hook] = ()
        self._some = asyncio.Event()  # there is something to write
        self._over = asyncio.Event()  # no request begins any more
        self._group: asyncio.TaskGroup | None = None
        self._unwritable = False
        self._unsaid: Counter[str] = Counter()  # events lost, by endpoint

    def figures(self) -> Sequence[WebhookFigures]:
        """How it stands with each endpoint of the settings."""
        waiting = self._store.waiting
        unwritten = Counter(hook.endpoint for hook in (*self._writing, *self._new))
        found = [self._figures[name] for name in self._couriers]
        for one in found:
            one.waiting = waiting.get(one.name, 0) + unwritten[one.name]
        return found

    def take(self, endpoints: Sequence[Endpoint]) -> None:
        """Have these told from now on; those that were switched off are tried again."""
        before, self._couriers = self._couriers, {}
        for endpoint in endpoints:
            name = endpoint.name
            figures = self._figures.setdefault(name, WebhookFigures(name))
            if figures.off:
                figures.off, figures.failures = "", 0
            known = before.pop(name, None)
            if known is not None and known.endpoint == endpoint:
                self._couriers[name] = known
                known.again()
                continue
            self._couriers[name] = courier = Courier(
                endpoint,
                self._store,
                self._sender(endpoint),
                figures,
                on_end=self._some.set,
            )
            if known is not None:
                courier.follow(known)
                self._end(known)
            self._begin(courier)
        for gone in before.values():
            self._end(gone)
            del self._figures[gone.endpoint.name]
        self._wanted = frozenset().union(*(one.words for one in endpoints))
        self._store.serve(self._couriers.keys(), self._some.set)
        self._some.set()  # what is kept for those that are gone is forgotten

    def __call__(self, event: Event) -> None:
        """Take down what is to be told of an event."""
        found = told(event, taken=self._taken)
        if found is None or found.word not in self._wanted:
            return
        hook_id = found.id or f"msg_{new_id()}"
        now = self._store.now()
        bodies: dict[bool, str] = {}
        for courier in self._couriers.values():
            endpoint = courier.endpoint
            if found.word not in endpoint.words:
                continue
            full = endpoint.addresses
            if full not in bodies:
                bodies[full] = body(found, addresses=full)
            self._new.append(Hook(hook_id, endpoint.name, bodies[full], now, now))
        self._trim()
        self._some.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep and bring until told to stop."""
        stop = asyncio.create_task(self._stop_at(stopping))
        try:
            while not stopping.is_set() and not await self._opened():
                await _pause(TRIES_EVERY, stopping)
            async with asyncio.TaskGroup() as self._group:
                for courier in self._couriers.values():
                    self._begin(courier)
                await self._keep_on(stopping)
                await self._last_moment()
        finally:
            self._group = None
            stop.cancel()

    async def close(self) -> None:
        """Write what came while the other parts ended."""
        await self._write()
        for hook in self._new:  # what could not be written
            self._lose(hook.endpoint, 1)
        if not self._store.lasts:
            for name, count in self._store.waiting.items():
                self._lose(name, count)
        self._tell_lost()

    async def _keep_on(self, stopping: asyncio.Event) -> None:
        swept = self._store.now()
        while not stopping.is_set():
            try:
                async with asyncio.timeout(SWEEPS_EVERY):
                    await self._some.wait()
            except TimeoutError:
                pass
            await _pause(GATHERED, stopping)
            self._some.clear()
            if not await self._write():
                await _pause(TRIES_EVERY, stopping)
                self._some.set()
            if self._store.now() - swept >= SWEEPS_EVERY:
                swept = self._store.now()
                await self._sweep()

    async def _stop_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._some.set()

    async def _last_moment(self) -> None:
        """Let requests end that would else come twice, or, without a spool, never."""
        end = asyncio.get_running_loop().time() + LAST_MOMENT
        try:
            async with asyncio.timeout_at(end):
                while not self._store.lasts and any(self._store.waiting.values()):
                    await asyncio.sleep(GATHERED / 2)
                    await self._write()
                self._over.set()
                for courier in self._couriers.values():
                    courier.wake()
                await asyncio.gather(*map(asyncio.shield, self._tasks.values()))
        except TimeoutError:
            pass
        self._over.set()
        for task in self._tasks.values():
            task.cancel()

    def _begin(self, courier: Courier) -> None:
        if self._group is not None and not self._over.is_set():
            running = self._group.create_task(courier.run(self._over), name=self.name)
            self._tasks[courier.endpoint.name] = running

    def _end(self, courier: Courier) -> None:
        """Cut an endpoint off; who follows it tells again what was under way."""
        task = self._tasks.pop(courier.endpoint.name, None)
        if task is not None:
            task.cancel()

    async def _opened(self) -> bool:
        try:
            await self._store.open()
        except Unwritable as error:
            self._cannot_write(error)
            return False
        return True

    async def _write(self) -> bool:
        """Write what is new and what came of the requests; False: it cannot be."""
        new, self._new = self._new, deque()
        self._writing = new
        couriers = list(self._couriers.values())
        ended = [hook for one in couriers for hook in one.ended]
        later = [one for courier in couriers for one in courier.later]
        written = False
        try:
            for name, count in [*self._store.waiting.items()]:
                if count and name not in self._couriers:
                    await self._store.leave(name)
            if ended or later:
                await self._store.keep((), ended=ended, later=later)
            for courier in couriers:
                courier.written(ended, later)
            # Apart: what has ended may be what makes the room for it.
            gone = await self._store.keep(new) if new else {}
            written = True
        except Unwritable as error:
            self._cannot_write(error)
            return False
        finally:
            self._writing = ()
            if not written:
                self._new.extendleft(reversed(new))
                self._trim()
        self._unwritable = False
        for courier in couriers:
            courier.wake()
        for name, count in gone.items():
            self._lose(name, count)
        return True

    def _cannot_write(self, error: Unwritable) -> None:
        if not self._unwritable:
            log.line(
                logging.ERROR,
                "webhooks not written",
                detail=f"{error}; kept in memory until they can be",
            )
        self._unwritable = True

    async def _sweep(self) -> None:
        self._tell_lost()
        try:
            count = await self._store.expire(self._store.now() - OLDEST)
        except Unwritable as error:
            self._cannot_write(error)
            return
        if count:
            log.line(logging.WARNING, "webhook events given up", events=count)

    def _trim(self) -> None:
        while len(self._new) > MOST_UNWRITTEN:
            self._lose(self._new.popleft().endpoint, 1)

    def _lose(self, name: str, count: int) -> None:
        if (figures := self._figures.get(name)) is not None:
            figures.lost += count
            self._unsaid[name] += count

    def _tell_lost(self) -> None:
        """Say it now and then, and not for each."""
        for name, count in self._unsaid.items():
            if count:
                log.line(
                    logging.ERROR, "webhook events lost", webhook=name, events=count
                )
        self._unsaid.clear()


def body(found: Told, *, addresses: bool) -> str:
    """The JSON of an event; what is empty is left out."""
    at = datetime.fromtimestamp(time.time() if found.at is None else found.at, UTC)
    facts = {**found.facts, **found.people} if addresses else found.facts
    return json.dumps(
        {
            "type": f"mail.{found.word}",
            "timestamp": at.isoformat().replace("+00:00", "Z"),
            "data": {name: value for name, value in facts.items() if value},
        },
        separators=(",", ":"),
    )


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass
