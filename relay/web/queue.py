"""`/api/v1/queue`: what waits and what failed, by why; retry and drop.

Beside the queue and in a thread, as the command line. A queue that relays share has a
list and no more: its groups, its searches and what is done to all of a group would read
each of its mails, one by one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from relay.model.mail import DEFAULT
from relay.observe.call import Call
from relay.observe.journal import Journal
from relay.observe.stats import Stats
from relay.queue import file
from relay.queue.admin import Ledger, open_ledger
from relay.queue.groups import AGES
from relay.queue.listing import Book, Change
from relay.queue.many import Chosen, What
from relay.queue.selection import Selection
from relay.queue.shown import as_json
from relay.web import arguments, causes
from relay.web.queue_search import asked_of, place_of, selection_of, to_retry
from relay.web.queue_works import Works

T = TypeVar("T")
# Opens what is known of the jobs; said is whether something is to be changed.
Opener = Callable[[bool], AbstractContextManager[Book]]

MOST_CHANGED = 500  # of one answer, and of one change by ids
# Whoever looks takes at most this part of one processor, however much waits.
PART = 0.04
EMPTY: Mapping[str, Any] = {"mails": [], "next": None, "total": 0, "again": 1.0}
NO_QUEUE = "There is no queue: queue.engine is none"
SHARED = (
    "Relays share this queue (queue.engine is sqs): it has a list by state, and no"
    " causes, searches or moves of all that is found; relay queue takes filters"
)


class QueuePages:
    """Answers about the queue that `opener` opens; None: there is no queue.

    `spool` is where it is, None of a queue that is shared.
    """

    def __init__(
        self,
        opener: Opener | None,
        spool: Path | None,
        journal: Journal,
        stats: Stats,
        *,
        give_up_after: Callable[[], float],
        may_write: Callable[[], bool],
    ) -> None:
        self._opener = opener
        self._spool = spool
        self._journal = journal
        self._stats = stats
        self._give_up_after = give_up_after
        self._may_write = may_write
        # One at a time: each may wait for others, and blocks a thread.
        self._turn = asyncio.Lock()
        self._works: Works | None = None
        if spool is not None:
            self._works = Works(
                spool, journal, give_up_after=give_up_after, changed=self._forget
            )
        # The groups as they were read last, and until when they are new enough.
        self._groups: dict[str, Any] = {}
        self._groups_until = 0.0

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/queue", self._list),
            web.get("/api/v1/queue/causes", self._causes),
            web.post("/api/v1/queue/retry", self._retry),
            web.post("/api/v1/queue/drop", self._drop),
            web.post("/api/v1/queue/works", self._choose),
            web.get("/api/v1/queue/works/{id}", self._work),
            web.post("/api/v1/queue/works/{id}/begin", self._begin),
            web.post("/api/v1/queue/works/{id}/stop", self._stop),
        ]

    async def close(self) -> None:
        """End what is under way."""
        if self._works is not None:
            await self._works.close()

    # What is there.

    async def _list(self, request: web.Request) -> web.Response:
        selection = selection_of(asked_of(request))
        limit = (
            arguments.whole(request, "limit", default=100, least=1, most=MOST_CHANGED)
            or 100
        )
        after = place_of(request)
        if self._opener is None:
            return web.json_response(EMPTY)
        if self._spool is None and selection != Selection(states=selection.states):
            raise web.HTTPConflict(reason=SHARED)

        def read(book: Book) -> tuple[list[tuple[str, dict[str, Any]]], int | None]:
            page = book.entries(replace(selection, limit=limit + 1), after=after)
            found = [(entry.place, as_json(entry, book.unix)) for entry in page]
            return found, _total(book, selection)

        began = time.monotonic()
        found, total = await self._read(read)
        for _, shown in found:
            shown["story"] = self._journal.get(shown["id"]) is not None
        more = len(found) > limit
        return web.json_response(
            {
                "mails": [shown for _, shown in found[:limit]],
                "next": found[limit - 1][0] if more else None,
                "total": total,
                "again": _again(began),
            }
        )

    async def _causes(self, _: web.Request) -> web.Response:
        if self._opener is not None and self._spool is None:
            raise web.HTTPConflict(reason=SHARED)
        now = self._stats.now()
        paused = {one.account: one.paused for one in now.accounts}
        answer: dict[str, Any] = {
            "paused": {
                name: why
                for name, why in (paused or {DEFAULT: now.paused}).items()
                if why
            },
            "ages": list(AGES),
            **(await self._grouped() if self._spool is not None else _NO_GROUPS),
        }
        running = self._works.running() if self._works is not None else None
        answer["work"] = None if running is None else running.as_json()
        return web.json_response(answer)

    async def _grouped(self) -> Mapping[str, Any]:
        """The groups; of many who look at them one reads them for all."""
        if time.monotonic() < self._groups_until:
            return self._groups

        def read(ledger: Ledger) -> dict[str, Any]:
            found = ledger.groups()
            return {
                "waiting": ledger.number("queued"),
                "sending": ledger.number("sending"),
                "failed": ledger.number("failed"),
                "groups": [
                    causes.as_json(group, ledger.unix, self._stats.alarms)
                    for group in found
                ],
            }

        async with self._turn:
            if time.monotonic() >= self._groups_until:
                began = time.monotonic()
                found = await _in_thread(lambda: self._of_spool(read))
                again = _again(began)
                self._groups = {**found, "at": round(time.time(), 3), "again": again}
                self._groups_until = time.monotonic() + again
        return self._groups

    def _forget(self) -> None:
        """Have the groups read anew: somebody changed them."""
        self._groups_until = 0.0

    # Retry and drop by ids.

    async def _retry(self, request: web.Request) -> web.Response:
        self._may_move()
        ids = await _ids(request)

        def act(book: Book) -> list[Change]:
            chosen = Selection(ids=ids)
            return list(book.retry(chosen, give_up_after=self._give_up_after()))

        return self._told(await self._read(act, write=True), "queued")

    async def _drop(self, request: web.Request) -> web.Response:
        self._may_move()
        ids = await _ids(request)
        changes = await self._read(
            lambda book: list(book.drop(Selection(ids=ids))), write=True
        )
        return self._told(changes, "dropped")

    def _told(self, changes: Sequence[Change], state: str) -> web.Response:
        self._forget()
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

    # Retry and drop of many.

    async def _choose(self, request: web.Request) -> web.Response:
        works = self._writable()
        given = await arguments.body(request)
        what = given.get("what")
        if what not in [one.value for one in What]:
            raise web.HTTPBadRequest(reason="what: one of retry, drop")
        names = ("state", "cause", "account", "q", "zone")
        if unknown := sorted(given.keys() - {"what", *names}):
            # A filter with a slip in its name would mean all of them.
            raise web.HTTPBadRequest(reason=f"{unknown[0][:40]}: there is no such key")
        asked = {name: arguments.text(given, name) for name in names if name in given}
        if not any(asked.get(name) for name in ("state", "cause", "q")):
            raise web.HTTPBadRequest(reason="Which mails? state, cause or q is missing")
        selection = selection_of(asked)
        if What(what) is What.RETRY:
            selection = to_retry(selection)

        def choose(ledger: Ledger) -> Chosen:
            return ledger.choose(selection)

        async with self._turn:
            chosen = await _in_thread(lambda: self._of_spool(choose))
        work = works.add(What(what), chosen)
        return web.json_response(work.as_json())

    async def _work(self, request: web.Request) -> web.Response:
        work = self._some_works().get(request.match_info["id"])
        return web.json_response(work.as_json())

    async def _begin(self, request: web.Request) -> web.Response:
        works = self._writable()
        await arguments.body(request)  # JSON, which no form of another site sends
        work = works.get(request.match_info["id"])
        works.begin(work)
        return web.json_response(work.as_json())

    async def _stop(self, request: web.Request) -> web.Response:
        works = self._writable()
        await arguments.body(request)
        work = works.get(request.match_info["id"])
        work.stopping.set()
        return web.json_response(work.as_json())

    def _may_move(self) -> None:
        if not self._may_write():
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)
        if self._opener is None:
            raise web.HTTPConflict(reason=NO_QUEUE)

    def _writable(self) -> Works:
        self._may_move()
        return self._some_works()

    def _some_works(self) -> Works:
        if self._works is None:
            shared = self._opener is not None
            raise web.HTTPConflict(reason=SHARED if shared else NO_QUEUE)
        return self._works

    # The queue, in a thread.

    async def _read(self, work: Callable[[Book], T], *, write: bool = False) -> T:
        opened = self._opener
        assert opened is not None  # noqa: S101 - who calls has looked

        def act() -> T:
            with opened(write) as book:
                return work(book)

        async with self._turn:
            return await _in_thread(act)

    def _of_spool(self, work: Callable[[Ledger], T]) -> T:
        assert self._spool is not None  # noqa: S101 - who calls has looked
        with open_ledger(self._spool, write=False) as ledger:
            return work(ledger)


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except file.UnusableSpool:
        raise web.HTTPServiceUnavailable(reason=arguments.NO_QUEUE_NOW) from None


_NO_GROUPS: Mapping[str, Any] = {
    "waiting": 0,
    "sending": 0,
    "failed": 0,
    "groups": [],
    "at": 0,
    "again": 1.0,
}


def _total(book: Book, selection: Selection) -> int | None:
    """How many there are, exactly; of whole states an index knows.

    None: nobody knows without reading all of them.
    """
    if not isinstance(book, Ledger):
        return None
    if selection == Selection(states=selection.states) and selection.states:
        return sum(book.number(state) for state in selection.states)
    jobs, _ = book.count(selection)
    return jobs


def _again(began: float) -> float:
    """After how many seconds who looks by itself may ask again."""
    return round(max(1.0, (time.monotonic() - began) / PART), 1)


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
