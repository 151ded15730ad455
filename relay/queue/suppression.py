"""The seam to what remembers who gets no mail, and what else of an address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from relay.model.suppression import Fact, Hashes, Known, Suppressed

KEPT_PAST = 30 * 86_400.0  # seconds; SES' events wait 14 days in SQS at most

Move = Callable[[Known], Known]


class Suppressions(Protocol):
    """Remembers of addresses, as they are compared, what is known of them.

    Each method raises Unwritable. `hashes` are kept as it is known here.
    """

    looks_every: float  # seconds: at what others changed

    async def look(self, hashes: Hashes, *, keep_bounces: float) -> None:
        """See what is there, and forget what is over."""

    async def find(self, address: str) -> Known:
        """What is known of an address."""

    async def learn(
        self, facts: Sequence[Fact], *, soft_bounces: int, hashes: Hashes
    ) -> list[Suppressed]:
        """Take in facts; gives the entries that came of them. Durable then."""
