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

    def enter(self, mails: Sequence[Mail]) -> Sequence[tuple[Way, Slot]] | Refusal:
        """Begin attempts on all of `mails`, or on none."""
        entered: list[tuple[Way, Slot]] = []
        for mail in mails:
            came = self._let_in(mail)
            if isinstance(came, Refusal):
                for way, slot in entered:
                    way.gate.leave(slot, None)
                return came
            entered.append(came)
        return entered

    def _let_in(self, mail: Mail) -> tuple[Way, Slot] | Refusal:
        """By its own way, or a fallback of it that is open; else why not by its own."""
        own = self._ways.of(mail.options.account)
        came = self._admitted(own, own.lanes, mail)
        if isinstance(came, Slot):
            return own, came
        way = own
        while way.fallback is not None and way.gate.closed:
            way = way.fallback
            slot = self._admitted(way, (own.lane, *way.lanes), mail)
            if isinstance(slot, Slot):
                return way, slot
        return came

    def _admitted(self, way: Way, lanes: Sequence[int], mail: Mail) -> Slot | Refusal:
        gate = way.gate
        if self._queue.is_due(mail.choice.priority, lanes):
            # Older mail waits, which in a pause is no reason but a consequence.
            return gate.silence() or gate.refusal(0) or Refusal()
        return gate.admit(len(mail.content), len(mail.envelope.recipients))
