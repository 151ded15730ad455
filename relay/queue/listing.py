"""Jobs as people ask for them: what is shown of one, and what may be done.

Whoever keeps jobs has a `Book` of them, for the command line and the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from relay.model.job import Job
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Selection


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as lists show it, without its content; `last` is its latest reply.

    `place` is where it stands in the list, for who asks on from there. `maybe_sent` is
    true of sent mail too: it may have been sent more than once.
    """

    place: str
    job: Job
    size: int
    last: str | None
    maybe_sent: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A job after `retry` or before `drop`, or what stood in the way."""

    entry: ListedJob
    obstacle: Obstacle | None = None


class Book(Protocol):
    """The jobs of a queue, read and changed beside it; each use may raise.

    What it raises is `file.UnusableSpool`, whose text is for the operator.
    """

    def now(self) -> float:
        """Seconds of the queue's clock."""

    def unix(self, at: float) -> float:
        """The Unix time of a moment of that clock."""

    def count(self, selection: Selection) -> tuple[int, int]:
        """How many jobs are meant, and of how many mails."""

    def entries(self, selection: Selection, *, after: str = "") -> Iterator[ListedJob]:
        """The jobs that are meant, in the order in which they came.

        `after` is the `place` of the last one that is known already; nothing comes
        after what is none.
        """

    def retry(self, selection: Selection, *, give_up_after: float) -> Iterator[Change]:
        """Make waiting mail due, and have failed mail wait again, its time anew."""

    def drop(self, selection: Selection) -> Iterator[Change]:
        """Delete waiting and failed mail, for good."""
