"""Which lane of the line an account's mail waits in, and what is known of each.

A lane for each account of the settings, `[ses]` first, and a last one for mail whose
account they do not name any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from relay.model.mail import Priority
from relay.queue.moves import First


class Lanes:
    """The lanes of these accounts, by their names."""

    def __init__(self, accounts: Sequence[str] = ("",)) -> None:
        self._lanes = {name: lane for lane, name in enumerate(accounts)}
        self._gone = len(self._lanes)
        self.all: Sequence[int] = range(self._gone + 1)
        # As the file had it last.
        self.first = First([()] * len(self.all), None)

    def __len__(self) -> int:
        return len(self.all)

    def of(self, account: str) -> int:
        """The lane of mail that leaves by `account`."""
        return self._lanes.get(account, self._gone)

    def has_due(
        self, now: float, priority: Priority, lanes: Sequence[int] | None
    ) -> bool:
        """Tell whether mail of this or a higher priority is due in these lanes."""
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
