"""How many mails a minute a client and a user may begin."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

_MINUTE = 60.0


class Rate:
    """Counts over the sixty seconds before each moment, for each key of its own.

    What is remembered is a time for each mail of the last minute, so memory is
    bounded by the mail that was let in. `now` is any clock that does not go back.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute  # 0: no limit
        # The key with the oldest latest mail comes first.
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, per_minute: int) -> None:
        """Go on by another number; what was counted counts."""
        self._per_minute = per_minute

    def let_in(self, keys: Iterable[str], *, now: float) -> bool:
        """Count one mail for all `keys`, or for none when one has had its number."""
        if not self._per_minute:
            return True
        self._forget(now - _MINUTE)
        keys = tuple(keys)
        for key in keys:
            times = self._seen.get(key)
            while times and times[0] <= now - _MINUTE:
                times.popleft()
            if times and len(times) >= self._per_minute:
                return False
        for key in keys:
            self._seen.setdefault(key, deque()).append(now)
            self._seen.move_to_end(key)
        return True

    def _forget(self, before: float) -> None:
        """Drop the keys whose latest mail is a minute old."""
        while self._seen:
            key, times = next(iter(self._seen.items()))
            if times and times[-1] > before:
                return
            del self._seen[key]
