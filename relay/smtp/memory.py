"""How many bytes of mail are in hand, over all sessions."""

from __future__ import annotations


class Memory:
    """An account of the content in hand, in bytes, over all sessions."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self, size: int) -> bool:
        return self.used + size <= self.limit

    def take(self, size: int) -> bool:
        """Enter `size` bytes, or nothing when they would not fit."""
        if not self.has_room(size):
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        self.used -= size


class Share:
    """What one mail takes out of the shared `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._taken = 0

    def take(self, size: int) -> bool:
        if not self._memory.take(size):
            return False
        self._taken += size
        return True

    def close(self) -> None:
        self._memory.give_back(self._taken)
        self._taken = 0
