"""Brings to one endpoint what it is to be told, and rests while that fails.

Two waits: an event's own, by Standard Webhooks' schedule, after which it is given up;
and the endpoint's, in which nothing is sent, so that one that is down is asked by one
request at a time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from relay import log
from relay.hooks.endpoint import Endpoint
from relay.hooks.post import AT_ONCE, Result
from relay.model.hook import DELAYS, Hook, Later
from relay.observe.webhook import WebhookFigures
from relay.queue import HookStore, Unwritable

# Failures in a row after which an endpoint is told nothing more.
MOST_FAILURES = 30
SHORTEST_REST, LONGEST_REST = 5.0, 3600.0  # of an endpoint; twice as long each time
LOOKS_EVERY = 5.0  # seconds until a store that could not be read is asked again
AGAIN = "a reload of the settings (SIGHUP) or a restart tries it again"


class Sender(Protocol):
    """Tells an endpoint of one event."""

    async def send(self, hook: Hook) -> Result: ...

    async def close(self) -> None: ...


def rest_after(failures: int) -> float:
    """Seconds in which an endpoint is left alone after so many failures in a row."""
    base: float = min(SHORTEST_REST * 2 ** min(failures - 1, 20), LONGEST_REST)
    return base * random.uniform(0.8, 1.2)  # noqa: S311 - relays must not come in step


class Courier:
    """Serves one endpoint; what came of its events is in `ended` and `later`.

    `on_end` is called when there is something in them, for who writes it down.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        store: HookStore,
        sender: Sender,
        figures: WebhookFigures,
        *,
        on_end: Callable[[], None],
        delays: Sequence[float] = DELAYS,
        rest_after: Callable[[int], float] = rest_after,
    ) -> None:
        self.endpoint = endpoint
        self.ended: deque[Hook] = deque()
        self.later: deque[Later] = deque()
        self._store = store
        self._sender = sender
        self._figures = figures
        self._on_end = on_end
        self._delays = delays
        self._rest_after = rest_after
        self._wake = asyncio.Event()
        self._in_hand: set[int] = set()  # places, until it is written what came of them
        self._flying = 0
        self._rests_until = 0.0  # by the store's clock
        self._failed_at = float("-inf")

    @property
    def off(self) -> str:
        """Why it is told nothing more, "" where it is."""
        return self._figures.off

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def again(self) -> None:
        """Rest no longer."""
        self._rests_until = 0.0
        self._wake.set()

    def follow(self, before: Courier) -> None:
        """Take over what another one has not had written yet."""
        self.ended, self.later = before.ended.copy(), before.later.copy()
        self._in_hand = _places(self.ended, self.later)

    def written(self, ended: Collection[Hook], later: Collection[Later]) -> None:
        """What came of these is written down."""
        places = _places(ended, later)
        self.ended = deque(one for one in self.ended if one.place not in places)
        self.later = deque(one for one in self.later if one.place not in places)
        self._in_hand -= places

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop; then wait for the requests under way."""
        try:
            async with asyncio.TaskGroup() as group:
                while not stopping.is_set():
                    self._wake.clear()
                    wait = await self._begin(group)
                    try:
                        async with asyncio.timeout(wait):
                            await self._wake.wait()
                    except TimeoutError:
                        pass
        finally:
            await self._sender.close()

    async def _begin(self, group: asyncio.TaskGroup) -> float | None:
        """Begin what may begin now; give the seconds until there may be more."""
        if self.off:
            return None
        now = self._store.now()
        if now < self._rests_until:
            return self._rests_until - now
        free = (1 if self._figures.failures else AT_ONCE) - self._flying
        if free <= 0:
            return None  # the end of one wakes
        try:
            found = await self._store.first(
                self.endpoint.name, free + len(self._in_hand) + 1
            )
        except Unwritable as error:
            log.line(logging.DEBUG, "webhooks not readable", detail=str(error))
            return LOOKS_EVERY
        for hook in found:
            if hook.place in self._in_hand:
                continue
            if hook.due > now:
                return hook.due - now
            if not free:
                return None
            free -= 1
            self._flying += 1
            self._in_hand.add(hook.place)
            group.create_task(self._send(hook))
        return None

    async def _send(self, hook: Hook) -> None:
        began = self._store.now()
        try:
            result = await self._sender.send(hook)
        except Exception as error:  # noqa: BLE001 - a webhook cannot fail the relay
            log.broken("webhook broken", error, webhook=self.endpoint.name)
            result = Result(False, type(error).__name__)
        finally:
            self._flying -= 1
        if result.told:
            self._figures.told += 1
            self._figures.failures, self._figures.detail = 0, ""
            self._rests_until = 0.0
            self.ended.append(hook)
        else:
            self._failed(hook, result, began)
        self._on_end()
        self._wake.set()

    def _failed(self, hook: Hook, result: Result, began: float) -> None:
        figures, now = self._figures, self._store.now()
        figures.failed += 1
        figures.detail = result.detail
        if began >= self._failed_at:  # else it was under way when another failed
            figures.failures += 1
            self._failed_at = now
            self._rests_until = now + max(
                self._rest_after(figures.failures), result.wait
            )
        attempts = hook.attempts + 1
        retry = None
        if attempts <= len(self._delays):
            base = self._delays[attempts - 1]
            retry = max(base * random.uniform(1, 1.2), result.wait)  # noqa: S311
            self.later.append(Later(hook.place, attempts, now + retry))
        else:
            figures.given_up += 1
            self.ended.append(hook)
        log.line(
            logging.WARNING,
            "webhook failed",
            webhook=self.endpoint.name,
            webhookId=hook.id,
            attempts=attempts,
            detail=result.detail,
            retryIn=None if retry is None else round(retry, 1),
        )
        if result.gone:
            self._switch_off("answered 410 Gone: it wants no more of this relay")
        elif figures.failures >= MOST_FAILURES:
            self._switch_off(f"{MOST_FAILURES} failures in a row: {result.detail}")

    def _switch_off(self, why: str) -> None:
        if self.off:
            return
        self._figures.off = why
        log.line(
            logging.ERROR,
            "webhook switched off",
            webhook=self.endpoint.name,
            reason=why,
            cure=AGAIN,
        )


def _places(ended: Iterable[Hook], later: Iterable[Later]) -> set[int]:
    return {hook.place for hook in ended} | {one.place for one in later}
