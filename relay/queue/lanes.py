"""Which lane of the line an account's mail waits in, and what is known of each.

A lane for each account of the settings, `[ses]` first, then one for mail whose account
they do not name any more, and then those of accounts that came later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from relay.model.mail import Priority
from relay.queue.moves import First


class Lanes:
    """The lanes of these accounts, by their names; `know` brings in others.

    An account that comes back finds its lane again: who has mail in hand knows it by
    its number.
    """

    def __init__(self, accounts: Sequence[str] = ("",)) -> None:
        self._lanes = {name: lane for lane, name in enumerate(accounts)}
        self._every = dict(self._lanes)  # and those that were
        self.gone = len(self._lanes)
        self.all: Sequence[int] = range(self.gone + 1)
        # As the file had it last.
        self.heed(First([()] * len(self.all), None))

    def __len__(self) -> int:
        return len(self.all)

    def of(self, account: str) -> int:
        """The lane of mail that leaves by `account`."""
        return self._lanes.get(account, self.gone)

    def know(self, accounts: Sequence[str]) -> bool:
        """Have lanes for these, and for no others; tell whether that is a change.

        What waits is in its lane after `enter`.
        """
        for name in accounts:
            if name not in self._every:
                self._every[name] = len(self.all)
                self.all = range(len(self.all) + 1)
        before = self._lanes
        # Anew, because the spool's thread asks, too.
        self._lanes = {name: self._every[name] for name in accounts}
        self.heed(self.first)
        return self._lanes != before

    def heed(self, first: First) -> None:
        """Take in what the file has, also from before the latest lanes."""
        if (missing := len(self.all) - len(first.due)) > 0:
            first = First([*first.due, *[()] * missing], first.end)
        self.first = first
        # Mostly nothing waits, which each new mail asks, and each end of a call.
        self.some_due = any(due is not None for lane in first.due for due in lane)

    def has_due(
        self,
        clock: Callable[[], float],
        priority: Priority,
        lanes: Sequence[int] | None,
    ) -> bool:
        """Tell whether mail of this or a higher priority is due in these lanes."""
        if not self.some_due:
            return False
        now = clock()
        for lane in self.all if lanes is None else lanes:
            for due in self.first.due[lane][: priority + 1]:
                if due is not None and due <= now:
                    return True
        return False

    def next(self, lanes: Sequence[int] | None) -> float | None:
        """When the next mail is due in these lanes, or at its end in any."""
        ahead = [] if self.first.end is None else [self.first.end]
        for lane in self.all if lanes is None else lanes:
            ahead += [due for due in self.first.due[lane] if due is not None]
        return min(ahead, default=None)

    def enter(self, connection: sqlite3.Connection, *, at_once: int) -> int:
        """Bring mail of an earlier start into its lane; give how much, at most so."""
        name, moved = "", 0
        while moved < at_once:
            (name,) = connection.execute(
                "SELECT min(account) FROM job INDEXED BY job_account"
                " WHERE account <> '' AND account > ?",
                (name,),
            ).fetchone()
            if name is None:
                break
            lane = self.of(str(name))
            changed = connection.execute(
                "UPDATE job SET lane = ? WHERE seq IN (SELECT seq FROM job"
                " INDEXED BY job_account WHERE account <> '' AND account = ?"
                " AND lane <> ? LIMIT ?)",
                (lane, name, lane, at_once - moved),
            )
            moved += changed.rowcount
        return moved
