"""One rate that many relays share without a word to each other: SES tells each enough.

Each grows by what SES takes of it, and slows by how much SES refused of it: that part
says how far too fast all of them are together. What they come to is the account's rate,
whoever joins, leaves or wants little.
"""

from __future__ import annotations

from relay.delivery.pace import Pace

GROWS_BY = 0.0003  # of the account's rate, for each recipient that SES took
FASTER_AFTER = 100  # in a row: so many times as fast after each
SLOWEST = 0.005  # of the account's rate
LEAST, MOST = 0.1, 0.5  # of the pace that one step down takes
BUCKET = 0.1  # of the account's rate in the bucket, at most


class SharedPace(Pace):
    """A `Pace` beside others: it starts at its full rate, and that is its ceiling."""

    def __init__(self, full: float | None = None, burst: float | None = None) -> None:
        self._account = 0.0  # the rate of the account; 0.0: not known
        self._in_a_row = 0
        self._answers = self._refused = 0  # since the latest step down
        super().__init__(full, burst)

    def set_full(self, full: float | None, burst: float | None = None) -> None:
        super().set_full(full, burst)
        if full is not None:
            self._account = full + (burst or 0.0)
            self._fit()

    def accepted(self, recipients: int) -> None:
        self._answers += 1
        if self._rate is None or self._full is None:
            return
        if self._rate == self._full and not self._learned:
            self._in_a_row += recipients  # it cannot grow: mostly, and each mail asks
            return
        for _ in range(recipients):
            times = 1 + self._in_a_row // FASTER_AFTER
            self._rate += GROWS_BY * self._account * times
            self._in_a_row += 1
        if self._rate >= self._full:
            if self._learned:
                # The rate was a guess; with no throttling at it, there is none again.
                self._rate = self._full = None
                self._tokens = self._capacity = 1.0
                self._learned = False
                return
            self._rate = self._full
        self._fit()

    def throttled(self, began: float, now: float) -> None:
        self._refill(now)
        self._answers += 1
        self._refused += 1
        self._in_a_row = 0
        if began <= self._slowed_at:
            return
        if self._rate is None or self._full is None:
            super().throttled(began, now)
            self._account = self._full or 0.0
        else:
            part = min(max(self._refused / self._answers, LEAST), MOST)
            self._rate = max(self._rate * (1 - part), SLOWEST * self._account)
            self._tokens = min(self._tokens, 0.0)
            self._slowed_at = now
        self._answers = self._refused = 0
        self._fit()

    def _fit(self) -> None:
        """Have the bucket follow the pace, so that nothing is saved up."""
        if self._rate is not None:
            most = min(BUCKET * self._account, self._rate / 2)
            self._capacity = max(1.0, most)
            self._tokens = min(self._tokens, self._capacity)

    def _grow(self, now: float) -> None:
        """Not by time: an idle relay does not grow."""
