"""How far an answer knows: which of the journal's changes it has seen.

Answers and events travel on several connections, so a page hears of them in any order.
By these numbers it tells what is newer, and whether it missed something.
"""

from __future__ import annotations

import secrets
from typing import Any

from relay.observe.journal import Journal


class Marks:
    """`run` is another one after each start, when all numbers begin anew."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._run = secrets.token_hex(6)

    def now(self) -> dict[str, Any]:
        """What goes with an answer that knows all of this moment."""
        journal = self._journal
        return {
            "run": self._run,
            "asOf": journal.changes,
            "oldest": journal.oldest,
        }
