"""What hears of mail that SES took, as the settings want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from relay import config
from relay.app.web_side import WebSide
from relay.fleet.aws import FleetSettings, Unusable, region_of
from relay.fleet.events import EventsReceiver, Keep, named
from relay.observe.events import Events
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
    """Receives them while the relay runs; `settings` gives those in force."""

    name = "events"

    def __init__(
        self,
        settings: Callable[[], config.Config],
        events: Events,
        web: WebSide,
        *,
        keeps: Sequence[Keep] = (),
    ) -> None:
        """`keeps` have each fact kept before its message is deleted."""
        self._settings = settings
        now, stats = settings(), web.stats

        def stray(why: str) -> None:
            stats.strays[why] += 1

        receiver = EventsReceiver(
            events_settings(now),
            mail_of=web.mail_of if now.web.listen else _nobody,
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
            place = self._settings().file or "settings"
            raise CannotStart(f"{place}: {named(str(error))}") from error

    def _usage_tags(self) -> Collection[str]:
        """The names of the tags that usages have, of all accounts."""
        found = (one.ses.usage_tag for one in config.accounts(self._settings()))
        return tuple(dict.fromkeys(filter(None, found)))


def _nobody(_: str) -> None:
    """No mail is remembered here by SES' id."""
