"""What repeats of one figure say: the middle, and how far they lie apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some repeats, and the least and the greatest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of `values`, of which there is at least one."""
        return cls(statistics.median(values), min(values), max(values))

    @property
    def share(self) -> float:
        """How far the repeats lie apart, as a part of their median."""
        return (self.high - self.low) / self.median if self.median else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that `share` of them do not pass (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1]
