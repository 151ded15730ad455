"""The account's sending rate, asked of SES now and then, sets the pace."""

from __future__ import annotations

import asyncio
import logging
from random import uniform

from relay import log
from relay.delivery.pace import Pace
from relay.delivery.transport import Quota, QuotaSource, Unanswered

# Seconds. All callers of an account share one request per second of this kind.
ASKS_EVERY = 300.0
JITTER = 0.2
_WITHOUT = "until then mail leaves without a pace, unless pace.rate sets one"


class AccountPace:
    """Keeps `pace` at `share` of the account's rate; `quota` is what SES said last."""

    name = "account"

    def __init__(
        self, source: QuotaSource, pace: Pace, *, share: float, account: str = ""
    ) -> None:
        """`account` is its name for the log, where there are several."""
        self._source = source
        self._account = account
        self._pace = pace
        self._share = share
        self._warned = False
        self.quota: Quota | None = None

    def take(self, *, share: float) -> None:
        """Go on by another share of the account's rate."""
        self._share = share
        if self.quota is not None:
            self._set(self.quota.rate)

    async def run(self, stopping: asyncio.Event) -> None:
        """Ask at once, and again every five minutes or a little later."""
        asking = asyncio.create_task(self._ask_now_and_then())
        stop = asyncio.create_task(stopping.wait())
        try:
            # A question under way holds up no stop.
            await asyncio.wait([asking, stop], return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                asking.result()
        finally:
            asking.cancel()
            stop.cancel()

    async def _ask_now_and_then(self) -> None:
        while True:
            await self._ask()
            await asyncio.sleep(ASKS_EVERY * uniform(1, 1 + JITTER))  # noqa: S311

    async def _ask(self) -> None:
        try:
            self.quota = await self._source.quota()
        except Unanswered as error:
            if not self._warned:
                cure = "; ".join(filter(None, (error.cure, _WITHOUT)))
                log.line(
                    logging.ERROR if error.alarm else logging.WARNING,
                    "no pace",
                    account=self._account or None,
                    detail=f"GetAccount: {error}; {cure}",
                )
            self._warned = True
            return
        self._warned = False
        self._set(self.quota.rate)

    def _set(self, rate: float) -> None:
        if rate <= 0:  # SES' way to say that there is no limit
            self._pace.set_full(None)
            return
        # In any one second not more than the whole rate, bucket and all.
        self._pace.set_full(rate * self._share, rate * (1 - self._share))
        log.line(
            logging.DEBUG,
            "pace",
            by=self._account or None,
            rate=round(rate * self._share, 2),
            account=rate,
        )
