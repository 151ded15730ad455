"""What endpoints are to be told, in memory: all there is without a queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from itertools import islice

from relay.model.hook import MOST, Hook, Later

SPARE = 100  # entries of an order that are over, before it is made anew


class MemoryHooks:
    """Keeps the hooks in this process, `most` of one endpoint: the oldest go.

    `on_gone` is told of each that goes, whatever it goes for.
    """

    lasts = False

    def __init__(
        self,
        *,
        now: Callable[[], float],
        most: int = MOST,
        on_gone: Callable[[Hook], None] = lambda hook: None,
    ) -> None:
        self.now = now
        self._most = most
        self._on_gone = on_gone
        self._place = 0
        self._hooks: dict[str, dict[int, Hook]] = {}  # by endpoint and place
        # Heaps of due and place, by endpoint; what is not so any more is passed over.
        self._order: dict[str, list[tuple[float, int]]] = {}

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many there are, by endpoint."""
        return Counter({name: len(hooks) for name, hooks in self._hooks.items()})

    def serve(self, endpoints: Collection[str], on_come: Callable[[], None]) -> None:
        """Nothing comes from elsewhere."""

    async def open(self) -> None:
        """Nothing is there from before."""

    async def keep(
        self,
        new: Sequence[Hook],
        *,
        ended: Collection[Hook] = (),
        later: Collection[Later] = (),
    ) -> Mapping[str, int]:
        """Keep what is new, forget what ended, put off what failed.

        Gives how many had to go for want of room, by endpoint.
        """
        for hook in ended:
            self._forget(hook.endpoint, [hook.place])
        for one in later:
            for hooks in self._hooks.values():
                if (known := hooks.get(one.place)) is not None:
                    hooks[one.place] = replace(
                        known, attempts=one.attempts, due=one.due
                    )
                    self._line_up(hooks[one.place])
        gone: Counter[str] = Counter()
        for hook in new:
            _, crowded = self.add(hook)
            gone[hook.endpoint] += crowded
        return +gone

    def add(self, hook: Hook) -> tuple[int, int]:
        """Keep one; give its place, and how many had to go for want of room."""
        self._place += 1
        hooks = self._hooks.setdefault(hook.endpoint, {})
        hooks[self._place] = replace(hook, place=self._place)
        self._line_up(hooks[self._place])
        too_many = max(len(hooks) - self._most, 0)
        self._forget(hook.endpoint, [*islice(hooks, too_many)])
        return self._place, too_many

    def at(self, endpoint: str, place: int) -> Hook | None:
        """The one of an endpoint at a place; None: it went."""
        return self._hooks.get(endpoint, {}).get(place)

    async def first(self, endpoint: str, limit: int) -> Sequence[Hook]:
        """Those of an endpoint that come first, due or not."""
        hooks, order = self._hooks.get(endpoint, {}), self._order.get(endpoint, [])
        found: dict[int, Hook] = {}
        while order and len(found) < limit:
            due, place = heappop(order)
            hook = hooks.get(place)
            if hook is not None and hook.due == due:
                found[place] = hook
        for hook in found.values():
            heappush(order, (hook.due, hook.place))
        return [*found.values()]

    async def expire(self, before: float) -> int:
        """Forget what came before a moment; give how many."""
        count = 0
        for endpoint, hooks in self._hooks.items():
            old = [place for place, hook in hooks.items() if hook.at < before]
            count += self._forget(endpoint, old)
        return count

    async def leave(self, endpoint: str) -> int:
        """Forget what is of an endpoint; give how many."""
        return self._forget(endpoint, [*self._hooks.get(endpoint, ())])

    def _line_up(self, hook: Hook) -> None:
        hooks = self._hooks[hook.endpoint]
        order = self._order.setdefault(hook.endpoint, [])
        heappush(order, (hook.due, hook.place))
        if len(order) > 2 * len(hooks) + SPARE:  # of an endpoint that nobody asks for
            order[:] = [(one.due, one.place) for one in hooks.values()]
            heapify(order)

    def _forget(self, endpoint: str, places: Iterable[int]) -> int:
        hooks = self._hooks.get(endpoint, {})
        count = 0
        for place in places:
            if (hook := hooks.pop(place, None)) is not None:
                count += 1
                self._on_gone(hook)
        return count
