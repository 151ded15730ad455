"""`/api/v1/queue`: what waits and what failed; retry and drop.

Through a connection of its own beside the queue's, in a thread, as the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from relay.observe.journal import Journal
from relay.observe.story import Call
from relay.queue import file
from relay.queue.admin import Change, Selection, open_ledger
from relay.queue.shown import as_json
from relay.web import arguments

MOST_CHANGED = 500  # of one answer, and of one change
# What a list may ask for: waiting mail, mail that was given up, both and what ended.
STATES = {
    "open": ("queued", "sending"),
    "failed": ("failed",),
    "all": (),
}


class QueuePages:
    """Answers about the spool at `path`; None: there is no queue."""

    def __init__(
        self,
        path: Path | None,
        journal: Journal,
        *,
        give_up_after: float,
        may_write: bool,
    ) -> None:
        self._path = path
        self._journal = journal
        self._give_up_after = give_up_after
        self._may_write = may_write
        # One at a time: each waits for the spool's lock, and blocks a thread.
        self._turn = asyncio.Lock()

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/queue", self._list),
            web.post("/api/v1/queue/retry", self._retry),
            web.post("/api/v1/queue/drop", self._drop),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        state = arguments.choice(request, "state", tuple(STATES)) or "open"
        limit = (
            arguments.whole(request, "limit", default=100, least=1, most=MOST_CHANGED)
            or 100
        )
        after = arguments.whole(request, "after", default=0, least=0, most=10**18) or 0
        path = self._path
        if path is None:
            return web.json_response({"mails": [], "next": None})

        def read() -> list[tuple[int, dict[str, Any]]]:
            selection = Selection(states=STATES[state], limit=limit + 1)
            with open_ledger(path, write=False) as ledger:
                entries = ledger.entries(selection, after=after)
                return [(entry.seq, as_json(entry, ledger.unix)) for entry in entries]

        found = await self._in_turn(read)
        more = len(found) > limit
        return web.json_response(
            {
                "mails": [shown for _, shown in found[:limit]],
                "next": found[limit - 1][0] if more else None,
            }
        )

    async def _retry(self, request: web.Request) -> web.Response:
        path = self._writable()
        ids = await _ids(request)

        def act() -> list[Change]:
            with open_ledger(path, write=True) as ledger:
                chosen = Selection(ids=ids)
                within = self._give_up_after
                return list(ledger.retry(chosen, give_up_after=within))

        return self._told(await self._in_turn(act), "queued")

    async def _drop(self, request: web.Request) -> web.Response:
        path = self._writable()
        ids = await _ids(request)

        def act() -> list[Change]:
            with open_ledger(path, write=True) as ledger:
                return list(ledger.drop(Selection(ids=ids)))

        return self._told(await self._in_turn(act), "dropped")

    def _writable(self) -> Path:
        if not self._may_write:
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)
        if self._path is None:
            reason = "There is no queue: queue.engine is none"
            raise web.HTTPConflict(reason=reason)
        return self._path

    async def _in_turn(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        async with self._turn:
            try:
                return await asyncio.to_thread(work)
            except file.UnusableSpool:
                reason = "The spool cannot be read or written now"
                raise web.HTTPServiceUnavailable(reason=reason) from None

    def _told(self, changes: Sequence[Change], state: str) -> web.Response:
        done = 0
        obstacles = []
        for change in changes:
            job = change.entry.job
            if change.obstacle is None:
                done += 1
                self._journal.moved(job.id, job.number, Call(state))
            else:
                why = change.obstacle.value
                obstacles.append({"id": job.id, "obstacle": why})
        return web.json_response({"done": done, "obstacles": obstacles})


async def _ids(request: web.Request) -> tuple[str, ...]:
    """Which mails are meant: never all of them by leaving something out."""
    given = (await arguments.body(request)).get("ids")
    if not (
        isinstance(given, list)
        and 0 < len(given) <= MOST_CHANGED
        and all(
            isinstance(mail_id, str) and 0 < len(mail_id) <= 64 for mail_id in given
        )
    ):
        raise web.HTTPBadRequest(reason=f"ids: a list of 1 to {MOST_CHANGED} ids")
    return tuple(given)
