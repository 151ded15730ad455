"""What an endpoint is to be told by HTTP, and how that stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

# Of one endpoint that are kept; of more the oldest go.
MOST = 100_000
# Seconds after each failed attempt on an event; after the last it is given up. So says
# the specification of Standard Webhooks.
DELAYS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
# What nobody could be told for so long is forgotten: all attempts, and a day.
OLDEST = sum(DELAYS) + 86_400.0


@dataclass(frozen=True, slots=True)
class Hook:
    """One event for one endpoint, which is named.

    `id` is the event's, the same for each endpoint and each attempt. `at` and `due`
    are seconds of the clock of who keeps it, `place` is its place there.
    """

    id: str
    endpoint: str
    body: str = field(repr=False)  # JSON
    at: float
    due: float
    attempts: int = 0
    place: int = 0


class Later(NamedTuple):
    """An attempt failed, and another is made at `due`."""

    place: int
    attempts: int
    due: float
