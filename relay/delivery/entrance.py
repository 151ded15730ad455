"""Whether a mail that just came may be attempted now, and by which way."""

from __future__ import annotations

from collections.abc import Sequence

from relay.delivery.admission import Refusal, Slot
from relay.delivery.ways import Way, Ways
from relay.model.mail import Mail
from relay.queue import Queue


class Entrance:
    """Lets in what its gate takes now and no older mail waits before."""

    def __init__(self, ways: Ways, queue: Queue) -> None:
        self._ways = ways
        self._queue = queue

    def enter(
        self, mails: Sequence[Mail]
    ) -> tuple[list[tuple[Way, Slot]], Refusal | None]:
        """Begin attempts on all of `mails`, or on none."""
        entered: list[tuple[Way, Slot]] = []
        for mail in mails:
            way, refusal = self._way(mail)
            if refusal is not None:
                for earlier, slot in entered:
                    earlier.gate.leave(slot, None)
                return [], refusal
            recipients = len(mail.envelope.recipients)
            slot = way.gate.enter(len(mail.content), recipients)
            entered.append((way, slot))
        return entered, None

    def _way(self, mail: Mail) -> tuple[Way, Refusal | None]:
        """By which way `mail` may leave now; else why it may not by its own."""
        way = own = self._ways.of(mail.options.account)
        first = refusal = self._refusal(own, own.lanes, mail)
        while refusal is not None and way.fallback is not None and way.gate.closed:
            way = way.fallback
            refusal = self._refusal(way, (own.lane, *way.lanes), mail)
        return way, refusal and first

    def _refusal(self, way: Way, lanes: Sequence[int], mail: Mail) -> Refusal | None:
        gate = way.gate
        refusal = gate.silence()
        if refusal is None and self._queue.is_due(mail.choice.priority, lanes):
            # Older mail waits, which in a pause is no reason but a consequence.
            refusal = gate.refusal(0) or Refusal()
        return refusal or gate.refusal(len(mail.content))
