"""`/api/v1/figures`: how things stand, and the last hour of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from relay.observe.stats import POINT, Point, Stats


def point_of(point: Point) -> dict[str, Any]:
    """Five seconds of the last hour."""
    return {
        "at": round(point.at, 3),
        "counts": point.counts,
        "p50": _ms(point.p50),
        "p95": _ms(point.p95),
        "p99": _ms(point.p99),
        "waiting": point.waiting,
        "oldest": None if point.oldest is None else round(point.oldest, 1),
        "rate": point.rate,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


class Figures:
    """Answers from `stats`."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/v1/figures", self._figures)]

    async def _figures(self, _: web.Request) -> web.Response:
        stats = self._stats
        return web.json_response(
            {
                "now": _named(asdict(stats.now())),
                "every": POINT,
                "points": [point_of(point) for point in stats.points],
                "attempts": dict(stats.attempts),
            }
        )


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """The same under the names of the API."""
    named = {_camel(name): value for name, value in values.items()}
    if "accounts" in named:
        named["accounts"] = [_named(account) for account in named["accounts"]]
    return named


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))
