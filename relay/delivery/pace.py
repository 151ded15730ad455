"""How many recipients may leave per second: a token bucket with debt, no clock.

SES counts recipients, and may throttle even at its exact rate, so the bucket is
small: what leaves in one second stays within the account's whole rate.
"""

from __future__ import annotations

import sys
from collections import deque

GROWS_EVERY = 5.0  # seconds without throttling
GROWS_BY = 0.1  # of the full rate
SLOWEST = 1.0  # recipients per second
# What a fixed rate may be exceeded by in any one second.
BURST = 0.1


class Pace:
    """Tells when the next mail may leave; `full` None is no pace at all.

    All times are seconds of one monotonic clock.
    """

    def __init__(self, full: float | None = None, burst: float | None = None) -> None:
        self._full: float | None = None
        self._rate: float | None = None
        self._capacity = 1.0
        self._tokens = 1.0
        self._at = 0.0
        self._slowed_at = float("-inf")
        self._grown_at = float("-inf")
        self._learned = False  # `full` is what was being sent when SES throttled
        self._left: deque[tuple[float, int]] = deque()  # the last second
        self.set_full(full, burst)

    def set_full(self, full: float | None, burst: float | None = None) -> None:
        """Take a full rate, as the settings or the account say it.

        `burst` is how many more than that may leave in one second.
        """
        if full is None and self._learned:
            return
        slowed = (
            self._rate is not None
            and self._full is not None
            and self._rate < self._full
        )
        self._learned = False
        self._full = full
        if full is None:
            self._rate = None
            return
        self._capacity = max(1.0, full * BURST if burst is None else burst)
        self._rate = min(self._rate, full) if slowed and self._rate else full
        self._tokens = min(self._tokens, self._capacity)

    @property
    def rate(self) -> float | None:
        """Recipients per second at present; None: no pace."""
        return self._rate

    @property
    def full(self) -> float | None:
        """Recipients per second when SES does not throttle; None: not known."""
        return self._full

    def ready_in(self, now: float) -> float:
        """Seconds until a mail may leave; 0: now."""
        self._refill(now)
        if self._rate is None or self._tokens >= 1.0:
            return 0.0
        return (1.0 - self._tokens) / self._rate

    def room(self, now: float) -> int:
        """How many mails of one recipient may leave now."""
        self._refill(now)
        return sys.maxsize if self._rate is None else max(int(self._tokens), 0)

    def take(self, recipients: int, now: float) -> None:
        """Let a mail leave; later ones wait for what it took too much."""
        left = self._left
        left.append((now, recipients))
        second = now - 1.0
        while left and left[0][0] <= second:
            left.popleft()
        if self._rate is not None:
            self._refill(now)
            self._tokens -= recipients

    def give_back(self, recipients: int) -> None:
        """Take back what was meant to leave and did not."""
        if self._rate is not None:
            self._tokens = min(self._tokens + recipients, self._capacity)

    def accepted(self, recipients: int) -> None:
        """SES took a mail of so many recipients."""

    def throttled(self, began: float, now: float) -> None:
        """SES throttled an attempt that `began` then: halve, once for all in flight."""
        self._refill(now)
        if began <= self._slowed_at:
            self._grown_at = now
            return
        if self._rate is None or self._full is None:
            self._full = max(
                float(sum(count for at, count in self._left if at > now - 1.0)),
                SLOWEST,
            )
            self._rate = self._full
            self._capacity = 1.0
            self._learned = True
        self._rate = max(self._rate / 2, min(SLOWEST, self._full))
        self._tokens = min(self._tokens, 0.0)
        self._slowed_at = self._grown_at = now

    def _refill(self, now: float) -> None:
        if self._rate is None or self._full is None:
            if now > self._at:
                self._at = now
            return
        passed = max(now - self._at, 0.0)
        self._at = max(now, self._at)
        self._tokens = min(self._tokens + passed * self._rate, self._capacity)
        if self._rate < self._full:
            self._grow(now)

    def _grow(self, now: float) -> None:
        """Go faster again, the longer SES does not throttle."""
        if self._rate is None or self._full is None:
            return
        steps = int((now - self._grown_at) // GROWS_EVERY)
        if steps <= 0:
            return
        self._grown_at += steps * GROWS_EVERY
        self._rate = min(self._rate + steps * GROWS_BY * self._full, self._full)
        if self._rate >= self._full and self._learned:
            # The rate was a guess; with no throttling at it, there is none again.
            self._rate = self._full = None
            self._tokens = self._capacity = 1.0
            self._learned = False
