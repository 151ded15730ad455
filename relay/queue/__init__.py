"""The seam to what keeps mail until SES has taken it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    Sent,
    Superseded,
)

# How an attempt ended; None: the client heard the 5xx, and the job goes.
End = Queued | Sent | Failed | None


class Unwritable(Exception):  # noqa: N818 - a statement about the queue
    """Nothing can be kept at present, because of `cause`; the text is for the log."""

    def __init__(self, text: str, cause: Exception) -> None:
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that its holder may attempt, and the store's token for it."""

    job: Job
    token: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What is in the queue now; `oldest` is when the oldest waiting mail came."""

    waiting: int
    sending: int
    oldest: float | None = None


class Queue(Protocol):
    """Keeps jobs; every method is safe for concurrent calls."""

    def now(self) -> float:
        """Seconds of the queue's clock, which no change of the system's clock moves."""

    def unix(self, at: float) -> float:
        """The Unix time of a moment of that clock."""

    def is_due(self) -> bool:
        """Tell whether mail waits whose time has come."""

    def due_in(self) -> float | None:
        """Seconds until the next mail is due or at its end; None: none waits."""

    def on_change(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever `due_in` may have become shorter."""

    async def put(self, jobs: Sequence[Job]) -> tuple[Sequence[Claim], list[Replaced]]:
        """Keep all of them or none; durable when this returns.

        Gives claims of those put as `Sending`, and the older mail that they
        superseded. Raises Unwritable.
        """

    async def claim(
        self, limit: int, *, size: int, hurry: float = 0.0
    ) -> Sequence[Claim]:
        """Begin attempts on due mail, the oldest first; at most `limit`.

        Their contents together are at most `size` bytes, but for the first. Mail
        with `validFor` that ends within `hurry` seconds goes before all other.
        Raises Unwritable.
        """

    async def expired(self, limit: int) -> Sequence[Claim]:
        """Waiting mail whose end has come; still `Queued`, for `settle` to fail."""

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | Superseded:
        """Record how the attempt ended.

        Reports enter in the same step. Gives the state that it came to: what would
        wait may be superseded by now. An end that cannot be written is kept, and
        written when it can be; until then nobody gets that job again.
        """

    async def due_now(self) -> None:
        """Make all waiting mail due, the oldest first."""

    def figures(self) -> Figures: ...
