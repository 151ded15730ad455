"""Hints that were received and wait here for an attempt to begin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from relay.fleet.claims import Looked
from relay.model.mail import Priority
from relay.queue.turns import Turns


class Here:
    """The hints at hand; `lane` gives the lane of an account's mail."""

    def __init__(self, lane: Callable[[str], int]) -> None:
        self._lane = lane
        self._hints: dict[str, tuple[Looked, float]] = {}  # by their receipts
        # Of each who claims: what one has taken is nothing to the others.
        self._turns: defaultdict[Sequence[int] | None, Turns] = defaultdict(Turns)

    def __len__(self) -> int:
        return len(self._hints)

    def add(self, looked: Looked, now: float) -> None:
        """Have it wait from now on."""
        self._hints[looked.receipt] = looked, now

    def has(self, priority: Priority, lanes: Sequence[int] | None) -> bool:
        """Tell whether mail of this or a higher priority waits here."""
        if not self._hints:
            return False  # mostly, which each new mail asks, and each end of a call
        return any(
            looked.hint.priority <= priority and self._is_in(looked, lanes)
            for looked, _ in self._hints.values()
        )

    def older(self, than: float) -> list[Looked]:
        """Those that came before then; they wait here no longer."""
        old = [looked for looked, came in self._hints.values() if came < than]
        for looked in old:
            del self._hints[looked.receipt]
        return old

    def take(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None,
        unmarked: Collection[int],
    ) -> list[Looked]:
        """Take what is to begin: by priority, then by age, as far as `size` goes."""
        due = [
            looked
            for looked, _ in self._hints.values()
            if self._is_in(looked, lanes)
            and not (looked.hint.maybe and self._is_in(looked, list(unmarked)))
        ]
        # Ids are in the order of time.
        due.sort(key=lambda looked: looked.hint.name)
        turns = self._turns[None if lanes is None else tuple(lanes)]
        taken: list[Looked] = []
        used = 0
        while due and len(taken) < limit:
            rank = turns.take(sorted({looked.hint.priority for looked in due}))
            first = next(one for one in due if one.hint.priority is rank)
            if taken and used + first.hint.size > size:
                break
            used += first.hint.size
            due.remove(first)
            del self._hints[first.receipt]
            taken.append(first)
        return taken

    def _is_in(self, looked: Looked, lanes: Sequence[int] | None) -> bool:
        return lanes is None or self._lane(looked.hint.account) in lanes
