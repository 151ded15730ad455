"""Whether an account's mail goes by its fallback for now, without a queue.

With one, that is the gate's pause. Without one, each mail asks its own account, but
for those whose way to it is known to lead nowhere: their clients have not the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from relay.model.outcome import Deferred, Outcome


class Detour:
    """Remembers that an account takes nothing from anybody.

    `looks` are the seconds between attempts meanwhile; the last repeats.
    """

    def __init__(
        self, looks: Sequence[float], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._looks = looks
        self._now = now
        self._looked = 0
        self._look_at = 0.0
        self.why: Deferred | None = None

    def take(self, looks: Sequence[float]) -> None:
        """Go on by other settings."""
        self._looks = looks

    def leads_away(self) -> bool:
        """Tell whether mail goes elsewhere; now and then one mail looks."""
        if self.why is None:
            return False
        if self._now() < self._look_at:
            return True
        self._later()  # this one looks, and the others need not
        return False

    def heed(self, outcome: Outcome) -> None:
        """Take in what the account said to a mail of its own or another's."""
        if isinstance(outcome, Deferred) and outcome.elsewhere:
            if self.why is None:
                self._looked = 0
                self._later()
            self.why = outcome
        elif not (isinstance(outcome, Deferred) and outcome.silent):
            self.why = None

    def _later(self) -> None:
        delay = self._looks[min(self._looked, len(self._looks) - 1)]
        self._looked += 1
        self._look_at = self._now() + delay
