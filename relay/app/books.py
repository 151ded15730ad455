"""Who has the jobs of the queue that the settings name, for people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from relay import config
from relay.queue.listing import Book

if TYPE_CHECKING:  # each relay needs one of them
    from relay.queue import Spool


def open_book(settings: config.Config, *, write: bool) -> AbstractContextManager[Book]:
    """Open it beside the relays, if any run. Raises file.UnusableSpool."""
    # Each imported in its branch: AWS' own libraries take long.
    if settings.queue.engine == "sqs":
        from relay.app.fleet_side import fleet_settings
        from relay.fleet import ledger

        return ledger.open_ledger(fleet_settings(settings))
    from relay.queue import admin

    return admin.open_ledger(config.spool_path(settings), write=write)


def opener(
    settings: config.Config, queue: Spool | None
) -> Callable[[bool], AbstractContextManager[Book]] | None:
    """Who opens it in a thread beside the loop of a relay; None: there is no queue."""
    if queue is None:
        return None
    if settings.queue.engine == "sqs":
        from relay.fleet import ledger
        from relay.fleet.sqs import SqsQueue

        if isinstance(queue, SqsQueue):
            loop = asyncio.get_running_loop()
            lent = partial(ledger.lent_ledger, queue.bucket, queue.bell, loop)
            return lambda write: lent()
    return lambda write: open_book(settings, write=write)


def spool_of(settings: config.Config, queue: Spool | None) -> Path | None:
    """Where the queue is on this machine's disk; None: it has none there."""
    if queue is None or settings.queue.engine != "sqlite":
        return None
    return config.spool_path(settings)
