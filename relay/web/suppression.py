"""`/api/v1/suppression`: who gets no mail, since when and why; removal by hand.

Beside the relay and in a thread, as the command line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, TypeVar

from aiohttp import web

from relay.content import address
from relay.content.moment import shown
from relay.model.suppression import REASONS, Suppressed, compared
from relay.queue import file
from relay.queue.suppression_book import SuppressionBook
from relay.web import arguments

T = TypeVar("T")
# Opens the list; said is whether something is to be changed.
Opener = Callable[[bool], AbstractContextManager[SuppressionBook]]

MOST_LISTED = 500
MOST_REMOVED = 100
NO_LIST = "There is no list: queue.engine is none"


class SuppressionPages:
    """Answers about the list that `opener` opens; None: there is none."""

    def __init__(
        self,
        opener: Opener | None,
        *,
        enabled: Callable[[], bool],
        keep_bounces: Callable[[], float],
        may_write: Callable[[], bool],
    ) -> None:
        self._opener = opener
        self._enabled = enabled
        self._keep_bounces = keep_bounces
        self._may_write = may_write
        # One at a time: each may wait for others, and blocks a thread.
        self._turn = asyncio.Lock()

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/suppression", self._list),
            web.post("/api/v1/suppression/remove", self._remove),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        words = _plain(arguments.word(request, "q")).strip().lower()
        reason = arguments.choice(request, "reason", REASONS)
        after = _plain(arguments.word(request, "after"))
        limit = (
            arguments.whole(request, "limit", default=100, least=1, most=MOST_LISTED)
            or 100
        )
        found: list[Suppressed] = []
        if self._opener is not None:
            now, keep = time.time(), self._keep_bounces()

            def read(book: SuppressionBook) -> list[Suppressed]:
                entries = book.entries(after=after, words=words, reason=reason)
                left = (one for one in entries if not one.is_over(now, keep))
                return list(islice(left, limit + 1))

            found = await self._use(read, write=False)
        more = len(found) > limit
        return web.json_response(
            {
                "enabled": self._enabled(),
                "entries": [_as_json(entry) for entry in found[:limit]],
                "next": found[limit - 1].address if more else None,
            }
        )

    async def _remove(self, request: web.Request) -> web.Response:
        if not self._may_write():
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)
        addresses = await _addresses(request)
        if self._opener is None:
            raise web.HTTPConflict(reason=NO_LIST)

        def remove(book: SuppressionBook) -> list[str]:
            return [one for one, there in book.remove(addresses) if not there]

        missing = await self._use(remove, write=True)
        done = len(addresses) - len(missing)
        return web.json_response({"removed": done, "missing": missing})

    async def _use(self, work: Callable[[SuppressionBook], T], *, write: bool) -> T:
        opened = self._opener
        assert opened is not None  # noqa: S101 - who calls has looked

        def act() -> T:
            with opened(write) as book:
                return work(book)

        async with self._turn:
            try:
                return await asyncio.to_thread(act)
            except file.UnusableSpool:
                raise web.HTTPServiceUnavailable(
                    reason=arguments.NO_QUEUE_NOW
                ) from None


def _plain(text: str) -> str:
    """The same without what no encoding has."""
    return text.encode("utf-8", "replace").decode()


async def _addresses(request: web.Request) -> list[str]:
    """Whom the request is about, as the list has them."""
    given = (await arguments.body(request)).get("addresses")
    if not (
        isinstance(given, list)
        and 0 < len(given) <= MOST_REMOVED
        and all(isinstance(one, str) for one in given)
    ):
        raise web.HTTPBadRequest(
            reason=f"addresses: a list of 1 to {MOST_REMOVED} addresses"
        )
    try:
        return [compared(address.check(one)) for one in given]
    except ValueError:
        raise web.HTTPBadRequest(reason="addresses: one of them is none") from None


def _as_json(entry: Suppressed) -> dict[str, Any]:
    return {
        "address": entry.address,
        "reason": entry.reason,
        "since": shown(entry.at),
        "source": entry.source,
        "detail": entry.detail,
    }
