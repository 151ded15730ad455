"""What hears of mail that SES took, as the settings want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack

from relay import config
from relay.app.in_force import InForce
from relay.app.web_side import WebSide
from relay.delivery.unseen_ends import UnseenEnds
from relay.fleet.aws import FleetSettings, Unusable, region_of
from relay.fleet.events import EventsReceiver, Keep, named
from relay.observe.events import Events
from relay.queue import Queue
from relay.system.process import CannotStart


def events_settings(settings: config.Config) -> FleetSettings:
    """Where the queue of events is; there is no bucket."""
    events, ses = settings.events, settings.ses
    return FleetSettings(
        url=events.url,
        bucket="",
        prefix="",
        region=events.region or region_of(events.url) or ses.region,
        endpoint_url=events.endpoint_url,
        access_key_id=config.revealed(ses.access_key_id),
        access_key_secret=config.revealed(ses.access_key_secret),
    )


class EventsSide:
    """Receives them while the relay runs; `in_force` gives the set in force."""

    name = "events"

    def __init__(
        self,
        in_force: Callable[[], InForce],
        events: Events,
        web: WebSide,
        queue: Queue | None,
        stack: AsyncExitStack,
        *,
        keeps: Sequence[Keep] = (),
    ) -> None:
        """`keeps` have each fact kept before its message is deleted.

        What SES proves to have taken waits in `queue` no longer; what of that has
        begun ends with `stack`.
        """
        self._in_force = in_force
        now, stats = self._settings, web.stats
        mail_of = web.mail_of if now.web.listen else _nobody

        def stray(why: str) -> None:
            stats.strays[why] += 1

        if queue is not None:
            unseen = UnseenEnds(
                queue, events, mail_of=mail_of, redirected_to=self._redirected_to
            )
            events.add(unseen)
            stack.push_async_callback(unseen.drained)
            keeps = (*keeps, unseen.keep)
        receiver = EventsReceiver(
            events_settings(now),
            mail_of=mail_of,
            emit=events.emit,
            stray=stray,
            keeps=keeps,
            usage_tags=self._usage_tags,
        )
        stats.deaf = lambda: receiver.trouble
        self._receiver = receiver

    async def run(self, stopping: asyncio.Event) -> None:
        """Receive until told to stop. Raises CannotStart."""
        try:
            await self._receiver.run(stopping)
        except Unusable as error:
            place = self._settings.file or "settings"
            raise CannotStart(f"{place}: {named(str(error))}") from error

    @property
    def _settings(self) -> config.Config:
        return self._in_force().settings

    def _redirected_to(self) -> str:
        guard = self._in_force().guard
        return "" if guard is None else guard.redirect_to

    def _usage_tags(self) -> Collection[str]:
        """The names of the tags that usages have, of all accounts."""
        found = (one.ses.usage_tag for one in config.accounts(self._settings))
        return tuple(dict.fromkeys(filter(None, found)))


def _nobody(_: str) -> None:
    """No mail is remembered here by SES' id."""
