"""The last 24 hours in points: the finer the nearer, in bounded memory, no disk.

Of the last hour each five seconds are a point, of six hours each minute, of 24 hours
each five minutes. A point knows how its times were spread, so several become one, and
a percentile of it is as right as of each. 1,368 points: 0.2 MB while nothing happens,
4.2 MB at most.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from relay.observe.spread import EMPTY, Spread, merged, percentile

POINT = 5.0  # seconds of the shortest points
NONE: Mapping[str, int] = MappingProxyType({})  # shared by points of idle times
# What one may ask for, and how many seconds that is.
RANGES = {"5m": 300.0, "15m": 900.0, "1h": 3600.0, "6h": 21_600.0, "24h": 86_400.0}
RECENT = 60.0  # seconds that say how things stand now
RECENT_AT_MOST = RANGES["5m"]  # where SES was not asked in those


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in the `seconds` until `at`, which is Unix seconds.

    `counts` are the mails by what their client heard, `times` the seconds until then,
    `answers` SES' answers by class. How things stood: the most that waited, the
    highest age of the oldest, the lowest pace.
    """

    at: float
    counts: Mapping[str, int]
    answers: Mapping[str, int]
    times: Spread[int]
    waiting: int | None = None
    oldest: float | None = None
    rate: float | None = None
    seconds: float = POINT

    def percentile(self, part: float) -> float | None:
        """The seconds that `part` of the mails did not exceed; None: there are none."""
        return percentile(self.times, part)


NOTHING = Point(0.0, NONE, NONE, EMPTY, seconds=0.0)


def joined(points: Sequence[Point]) -> Point:
    """Make one point of several, which there are, in their order."""
    if len(points) == 1:
        return points[0]
    return Point(
        points[-1].at,
        _sum(point.counts for point in points),
        _sum(point.answers for point in points),
        merged(point.times for point in points),
        max((one.waiting for one in points if one.waiting is not None), default=None),
        max((one.oldest for one in points if one.oldest is not None), default=None),
        min((one.rate for one in points if one.rate is not None), default=None),
        sum(point.seconds for point in points),
    )


def _sum(several: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for counts in several:
        if counts:
            total.update(counts)
    return dict(total) or NONE


class Tier:
    """Points of `every` seconds, at most `most` of them; the last may still grow."""

    def __init__(self, every: float, most: int) -> None:
        self.every = every
        self.reach = every * most
        self.points: deque[Point] = deque(maxlen=most)

    def add(self, point: Point) -> None:
        """Take a point that is no longer than those of this tier."""
        points = self.points
        # The clock was set back: what is ahead of it would stand there for ever.
        while points and points[-1].at >= point.at:
            points.pop()
        if points and point.seconds < self.every and self._same(points[-1], point):
            point = joined((points.pop(), point))
        points.append(point)

    def _same(self, one: Point, other: Point) -> bool:
        return one.at // self.every == other.at // self.every


class Ring:
    """All tiers, the finest first."""

    def __init__(self) -> None:
        self._tiers = (Tier(POINT, 720), Tier(60.0, 360), Tier(300.0, 288))

    def add(self, point: Point) -> None:
        """Take five more seconds."""
        for tier in self._tiers:
            tier.add(point)

    def last(self, seconds: float) -> tuple[float, list[Point]]:
        """How long a point is, and the finest points that reach so far back."""
        reaching = (tier for tier in self._tiers if tier.reach >= seconds)
        tier = next(reaching, self._tiers[-1])
        since = tier.points[-1].at - seconds if tier.points else 0.0
        # What reaches into the range by less than its half is left out.
        found = [one for one in tier.points if one.at - one.seconds / 2 > since]
        return tier.every, found

    def recent(self) -> Point:
        """The last minute; up to five where SES was not asked in it."""
        _, points = self.last(RECENT_AT_MOST)
        for count in range(int(RECENT / POINT), len(points) + 1):
            if any(point.answers for point in points[-count:]):
                return joined(points[-count:])
        return joined(points) if points else NOTHING
