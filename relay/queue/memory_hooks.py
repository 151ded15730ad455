"""What endpoints are to be told, in memory: all there is without a spool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest

from relay.model.hook import MOST, Hook, Later


class MemoryHooks:
    """Keeps the hooks in this process, `most` of one endpoint: the oldest go."""

    lasts = False

    def __init__(self, *, now: Callable[[], float], most: int = MOST) -> None:
        self.now = now
        self._most = most
        self._place = 0
        self._hooks: dict[str, dict[int, Hook]] = {}  # by endpoint and place

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many there are, by endpoint."""
        return Counter({name: len(hooks) for name, hooks in self._hooks.items()})

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
            self._hooks.get(hook.endpoint, {}).pop(hook.place, None)
        for one in later:
            for hooks in self._hooks.values():
                if (known := hooks.get(one.place)) is not None:
                    hooks[one.place] = replace(
                        known, attempts=one.attempts, due=one.due
                    )
        gone: Counter[str] = Counter()
        for hook in new:
            self._place += 1
            hooks = self._hooks.setdefault(hook.endpoint, {})
            hooks[self._place] = replace(hook, place=self._place)
            if len(hooks) > self._most:
                del hooks[next(iter(hooks))]
                gone[hook.endpoint] += 1
        return gone

    async def first(self, endpoint: str, limit: int) -> Sequence[Hook]:
        """Those of an endpoint that come first, due or not."""
        hooks = self._hooks.get(endpoint, {}).values()
        return nsmallest(limit, hooks, key=lambda hook: (hook.due, hook.place))

    async def expire(self, before: float) -> int:
        """Forget what came before a moment; give how many."""
        count = 0
        for hooks in self._hooks.values():
            old = [place for place, hook in hooks.items() if hook.at < before]
            count += len(old)
            for place in old:
                del hooks[place]
        return count

    async def leave(self, endpoint: str) -> int:
        """Forget what is of an endpoint; give how many."""
        return len(self._hooks.pop(endpoint, {}))
