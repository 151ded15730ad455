"""Who gets no mail, as the settings want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from relay import config

if TYPE_CHECKING:  # few relays need them, or SQLite behind them
    from relay.delivery.suppression import Suppression
    from relay.queue import Spool
    from relay.queue.suppression_book import SuppressionBook
    from relay.web.suppression import SuppressionPages


def suppression(settings: config.Config, queue: Spool | None) -> Suppression | None:
    """What keeps mail from who bounced or complained; None: nothing does."""
    if not settings.suppression.enabled or queue is None:
        return None
    from relay.delivery.suppression import Suppression

    return Suppression(queue.suppressions, unix=lambda: queue.unix(queue.now()))


def take(found: Suppression | None, settings: config.Config) -> Suppression | None:
    """Have it go on by these settings."""
    if found is not None:
        chosen = settings.suppression
        found.take(
            excepted=chosen.except_,
            soft_bounces=chosen.soft_bounces,
            keep_bounces=chosen.keep_bounces,
        )
    return found


def open_book(
    settings: config.Config, *, write: bool
) -> AbstractContextManager[SuppressionBook]:
    """Open the list beside the relays, if any run. Raises file.UnusableSpool."""
    # Each imported in its branch: AWS' own libraries take long.
    if settings.queue.engine == "sqs":
        from relay.app.fleet_side import fleet_settings
        from relay.fleet import suppression_book as shared

        return shared.open_book(fleet_settings(settings))
    from relay.queue import suppression_book

    return suppression_book.open_book(config.spool_path(settings), write=write)


def pages(
    settings: Callable[[], config.Config],
    queue: Spool | None,
    may_write: Callable[[], bool],
) -> SuppressionPages:
    """What answers about the list, by the settings in force."""
    from relay.web.suppression import SuppressionPages

    return SuppressionPages(
        _opener(settings(), queue),
        enabled=lambda: settings().suppression.enabled,
        keep_bounces=lambda: settings().suppression.keep_bounces,
        may_write=may_write,
    )


def _opener(
    settings: config.Config, queue: Spool | None
) -> Callable[[bool], AbstractContextManager[SuppressionBook]] | None:
    """Who opens it in a thread beside the loop of a relay; None: there is none."""
    if queue is None:
        return None
    if settings.queue.engine == "sqs":
        from relay.fleet import suppression_book as shared
        from relay.fleet.sqs import SqsQueue

        if isinstance(queue, SqsQueue):
            bucket, loop = queue.bucket, asyncio.get_running_loop()
            return lambda write: shared.lent_book(bucket, loop)
    return lambda write: open_book(settings, write=write)
