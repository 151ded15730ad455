"""How long an attempt has before others may take its mail over, and who holds one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from relay.delivery.transport import BYTES_PER_SECOND
from relay.fleet.record import Standing
from relay.model.job import Job
from relay.queue.clock import steady

SPARE = 20.0  # seconds: for what comes before and after the attempt
HIDDEN = 10.0  # seconds that a message stays hidden longer than the lease
WAITS_HERE = 5.0  # seconds of a hint that cannot begin; then another relay may


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of a mail, by the longest attempt that any account allows."""

    attempt_timeout: float

    def attempt(self, size: int) -> float:
        """Seconds that one attempt may take."""
        return self.attempt_timeout + size / BYTES_PER_SECOND

    def of(self, size: int) -> float:
        """Seconds from the claim on: two attempts may follow each other in it."""
        return 2 * self.attempt(size) + SPARE

    def outlasts(self, size: int) -> bool:
        """Whether a message would come again within the lease, as it was received."""
        return self.of(size) + WAITS_HERE > self.of(0) + HIDDEN


@dataclass(slots=True, eq=False)
class Hold:
    """What this relay holds of a job: its objects, and the hint that led to it.

    `job` has the queue's own times. `etag` is that of the state object, "" where the
    record alone says that an attempt is under way. `by` is the hand that will write
    its end: the same for each try. `until`: of the steady clock, until when the lease
    runs.
    """

    name: str
    job: Job
    stands: Standing
    size: int
    calls: int
    etag: str
    by: str
    until: float
    receipt: str = ""
    over: bool = False  # its end has come, so that no attempt is made

    @property
    def shared(self) -> bool:
        return self.calls > 1

    def lasts(self, seconds: float) -> bool:
        """Whether so much of the lease is left, also on a machine that slept."""
        return steady() + seconds <= self.until


def hand() -> str:
    """A new token, by which a writer knows its own hand."""
    return secrets.token_hex(8)
