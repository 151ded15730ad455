"""Retry and drop of many mails: first they are chosen and counted, then it is done.

Who confirms a number means those mails and no others: what is chosen are their places
in the spool. It goes on in a thread of its own, in parts between which mail has its
turn, also when the page that asked for it is closed; a stop of the relay ends it
between two parts.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from relay import log
from relay.model.submission import MailId
from relay.observe.call import Call
from relay.observe.journal import Journal
from relay.queue import file
from relay.queue.admin import open_ledger
from relay.queue.many import Chosen, Part, What
from relay.queue.obstacle import Obstacle
from relay.web.arguments import NO_QUEUE_NOW

KEPT = 8  # works: of which one may run, and others wait for a yes
RUNNING = "running"
_STATE_OF = {What.RETRY: "queued", What.DROP: "dropped"}


class Work:
    """One retry or drop of what was chosen for it."""

    def __init__(self, number: int, what: What, chosen: Chosen) -> None:
        self.id = str(number)
        self.what = what
        self.mails = len(chosen.places)
        self.chosen: Chosen | None = chosen
        self.sending = chosen.sending
        self.state = "chosen"
        self.done = 0
        self.left: Counter[Obstacle] = Counter()
        self.trouble = ""
        self.stopping = threading.Event()

    def as_json(self) -> dict[str, Any]:
        left = [{"obstacle": one.value, "mails": n} for one, n in self.left.items()]
        return {
            "id": self.id,
            "what": self.what.value,
            "state": self.state,
            "mails": self.mails,
            "sending": self.sending,
            "done": self.done,
            "left": left,
            "trouble": self.trouble,
        }


class Works:
    """The works on the spool at `path`; one runs at a time."""

    def __init__(
        self,
        path: Path,
        journal: Journal,
        *,
        give_up_after: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._path = path
        self._journal = journal
        self._give_up_after = give_up_after
        self._changed = changed
        self._numbers = itertools.count(1)
        self._works: OrderedDict[str, Work] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def add(self, what: What, chosen: Chosen) -> Work:
        """Keep what was chosen until somebody says yes."""
        work = Work(next(self._numbers), what, chosen)
        self._works[work.id] = work
        for old in list(self._works.values()):
            if len(self._works) <= KEPT:
                break
            if old.state != RUNNING:
                del self._works[old.id]
        return work

    def get(self, work_id: str) -> Work:
        """Raises 404."""
        found = self._works.get(work_id)
        if found is None:
            reason = "There is no such retry or drop any more; choose anew"
            raise web.HTTPNotFound(reason=reason)
        return found

    def running(self) -> Work | None:
        """The one that is under way."""
        works = self._works.values()
        return next((work for work in works if work.state == RUNNING), None)

    def begin(self, work: Work) -> None:
        """Begin it. Raises 409 where another one runs, or it has begun before."""
        if (other := self.running()) is not None:
            raise web.HTTPConflict(
                reason=f"A {other.what.value} of {other.mails} mails is under way"
            )
        if work.chosen is None:
            raise web.HTTPConflict(reason="It was done already; choose anew")
        chosen, work.chosen = work.chosen, None
        work.state = RUNNING
        self._task = asyncio.create_task(self._run(work, chosen), name="queue work")

    async def close(self) -> None:
        """End what is under way after its present part."""
        if (work := self.running()) is not None:
            work.stopping.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, work: Work, chosen: Chosen) -> None:
        loop = asyncio.get_running_loop()
        within = self._give_up_after()

        def act() -> None:
            with open_ledger(self._path, write=True) as ledger:
                for part in ledger.change(work.what, chosen, give_up_after=within):
                    loop.call_soon_threadsafe(self._note, work, part)
                    if work.stopping.is_set():
                        return

        try:
            await asyncio.to_thread(act)
            left_over = work.done + work.left.total() < work.mails
            work.state = "stopped" if left_over else "done"
        except file.UnusableSpool as error:
            work.state = "broken"
            work.trouble = NO_QUEUE_NOW
            log.line(logging.ERROR, "queue not changed", detail=str(error))
        finally:
            self._changed()
            log.line(
                logging.INFO,
                "queue changed",
                what=work.what.value,
                mails=work.mails,
                done=work.done,
                left=work.left.total(),
                state=work.state,
            )

    def _note(self, work: Work, part: Part) -> None:
        work.done += len(part.done)
        work.left.update(part.left)
        state = _STATE_OF[work.what]
        for mail_id, number in part.done:
            self._journal.moved(MailId(mail_id), number, Call(state))
