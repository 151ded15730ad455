"""Whose turn it is among mail that is due: by priority, and none waits for ever.

High mail has at most 9 of 10 turns while other mail is due, normal mail at most 9 of
10 of the rest while low mail is.
"""

from __future__ import annotations

from collections.abc import Sequence

from relay.model.mail import Priority

SHARE = 10  # one of so many turns is the others'


class Turns:
    """Counts the turns that were taken while mail of a lower priority was due."""

    def __init__(self) -> None:
        self._high = self._normal = 0

    def take(self, due: Sequence[Priority]) -> Priority:
        """Whose turn it is of those that have due mail, highest first; at least one."""
        first, *others = due
        if not others:
            return first
        if first is Priority.HIGH:
            self._high = (self._high + 1) % SHARE
            return first if self._high else self.take(others)
        self._normal = (self._normal + 1) % SHARE
        return first if self._normal else others[0]
