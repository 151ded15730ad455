"""`/api/v1/figures`: how things stand, and up to 24 hours of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from relay.observe import spread
from relay.observe.ring import NOTHING, RANGES, Point, Ring, joined
from relay.observe.stats import GROUPS, Stats
from relay.web import arguments
from relay.web.verdict import verdict

PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
# What the buckets of `times` are: number n ends at least * growth ** n milliseconds.
BUCKETS = {
    "least": spread.LEAST * 1000,
    "growth": spread.GROWTH,
    "last": len(spread.BOUNDS),
    "error": spread.ERROR,
}
_IN_THREAD = 1024  # bytes of an answer from which on a thread compresses it


def point_of(point: Point) -> dict[str, Any]:
    """A point as the API shows it."""
    return {
        "at": round(point.at, 3),
        "seconds": point.seconds,
        "counts": dict(point.counts),
        "answers": dict(point.answers),
        "times": list(point.times),
        **{name: _ms(point.percentile(part)) for name, part in PARTS.items()},
        "waiting": point.waiting,
        "oldest": None if point.oldest is None else round(point.oldest, 1),
        "rate": point.rate,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds * 1000:.3g}")


class Figures:
    """Answers from `stats` and `ring`; `captures`: SES is not there."""

    def __init__(
        self, stats: Stats, ring: Ring, *, captures: Callable[[], bool]
    ) -> None:
        self._stats = stats
        self._ring = ring
        self._captures = captures

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/v1/figures", self._figures)]

    def told(self, point: Point) -> dict[str, Any]:
        """What a page that is open is told each five seconds."""
        return {"point": point_of(point), **self._standing()}

    def _standing(self) -> dict[str, Any]:
        now = self._stats.now()
        found = verdict(now, self._ring.recent(), captures=self._captures())
        return {
            "now": _named(asdict(now)),
            "verdict": [sentence._asdict() for sentence in found],
        }

    async def _figures(self, request: web.Request) -> web.Response:
        asked = arguments.choice(request, "range", tuple(RANGES)) or "1h"
        every, points = self._ring.last(RANGES[asked])
        rest = {
            **self._standing(),
            "every": every,
            "buckets": BUCKETS,
            "groups": GROUPS,
            "attempts": dict(self._stats.attempts),
        }

        def written() -> bytes:
            whole = joined(points) if points else NOTHING
            shown = [point_of(point) for point in points]
            return json.dumps(
                {**rest, "points": shown, "whole": point_of(whole)}
            ).encode()

        # Of 720 points that is a moment's work, which no mail is to wait for.
        response = web.Response(
            body=await asyncio.to_thread(written),
            content_type="application/json",
            zlib_executor_size=_IN_THREAD,
        )
        response.enable_compression()
        return response


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """The same under the names of the API."""
    named = {_camel(name): value for name, value in values.items()}
    if "accounts" in named:
        named["accounts"] = [_named(account) for account in named["accounts"]]
    return named


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))
