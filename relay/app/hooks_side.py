"""The webhooks as the settings want them; without any, an idle service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, get_args

from relay import config
from relay.config import webhooks
from relay.model.hook import OLDEST
from relay.observe.events import Events
from relay.observe.webhook import WebhookFigures
from relay.queue import Unwritable

if TYPE_CHECKING:  # most relays have no webhooks
    from relay.hooks.endpoint import Endpoint
    from relay.hooks.hooks import Hooks
    from relay.queue import HookStore, Spool


class HooksSide:
    """Makes the webhooks when settings have some first; they are told of `events`."""

    name = "webhooks"

    def __init__(
        self,
        first: config.Config,
        queue: Spool | None,
        events: Events,
        stack: AsyncExitStack,
    ) -> None:
        """What is open when `stack` ends is closed by it."""
        self._captures = first.transport == "capture"  # which never changes
        self._kept = None if queue is None else queue.hooks
        self._events = events
        self._stack = stack
        self._hooks: Hooks | None = None
        self._there = asyncio.Event()

    def take(self, settings: config.Config) -> None:
        """Have the webhooks of these settings told from now on."""
        if self._hooks is None:
            if not settings.webhooks:
                return
            from relay.hooks.hooks import Hooks

            self._hooks = Hooks(self._store(), captures=self._captures)
            self._stack.push_async_callback(self._hooks.close)
            self._events.add(self._hooks)
            self._there.set()
        self._hooks.take(
            [_endpoint(one, captures=self._captures) for one in settings.webhooks]
        )

    def figures(self) -> Sequence[WebhookFigures]:
        """How it stands with each of them."""
        return () if self._hooks is None else self._hooks.figures()

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve them, once there are some, until told to stop."""
        if self._hooks is None and self._kept is not None:
            await self._forget_old(self._kept)
        waits = [asyncio.create_task(event.wait()) for event in (self._there, stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._hooks is not None:
            await self._hooks.run(stopping)

    async def _forget_old(self, kept: HookStore) -> None:
        """Leave nothing for ever of webhooks that were taken out of the settings."""
        try:
            await kept.expire(kept.now() - OLDEST)
        except Unwritable:
            pass  # at the next start

    def _store(self) -> HookStore:
        from relay.queue.clock import steady
        from relay.queue.memory_hooks import MemoryHooks

        return self._kept or MemoryHooks(now=steady)


def _endpoint(webhook: webhooks.Webhook, *, captures: bool) -> Endpoint:
    from relay.hooks.endpoint import Endpoint, Reach

    place = webhooks.place(webhook.url)
    reach = Reach.ANY if webhook.allow_private else Reach.PUBLIC
    return Endpoint(
        name=webhooks.name_of(webhook),
        secure=place.secure,
        host=place.host,
        port=place.port,
        authority=place.authority,
        path=place.path,
        keys=tuple(webhooks.keys(config.revealed(webhook.secret))),
        words=frozenset(webhook.events or get_args(webhooks.Word)),
        addresses=webhook.addresses == "full",
        reach=Reach.LOOPBACK if captures else reach,
    )
