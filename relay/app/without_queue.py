"""How mail of each account leaves without a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from relay.app.doors import Door
from relay.app.in_force import InForce
from relay.app.outlets import Outlet
from relay.delivery.admission import Admission
from relay.delivery.detour import Detour
from relay.delivery.immediate import ImmediateDelivery, Route
from relay.delivery.line import Line
from relay.delivery.use import Use
from relay.observe.events import Events
from relay.queue import Notes
from relay.system.process import Service


class _Of(NamedTuple):
    """What is remembered of an account, as long as its door is the same."""

    door: Door
    detour: Detour


class WithoutQueue:
    """Makes the deliveries, one for each set of settings.

    Who waits in line, and what was learnt of accounts, outlives them.
    """

    services: Sequence[Service] = ()

    def __init__(self, events: Events, notes: Notes) -> None:
        self._events = events
        self._notes = notes
        self._lines: dict[Door, Line] = {}
        self._known: dict[str, _Of] = {}

    def delivery(
        self, in_force: InForce, outlets: Sequence[Outlet], use: Use
    ) -> tuple[ImmediateDelivery, Mapping[str, Admission]]:
        """The delivery of this set from now on; there are no gates.

        Nothing outlives the reply to a mail, so that nothing is counted by `use`.
        """
        options = in_force.settings.queue
        immediate = ImmediateDelivery(
            routes=self._routes(outlets, looks=options.slow_delays),
            events=self._events,
            answer_within=options.answer_within,
            notes=self._notes,
        )
        return immediate, {}

    def _routes(
        self, outlets: Sequence[Outlet], *, looks: Sequence[float]
    ) -> list[Route]:
        """A route for each account; those of one door wait in one line."""
        found: dict[str, Route] = {}
        by_name = {one.account: one for one in outlets}
        doors = {one.door for one in outlets}
        self._lines = {
            door: self._lines.get(door) or Line(door.pace, door.concurrency)
            for door in doors
        }
        known = self._known
        self._known = {
            one.account: _Of(one.door, before.detour)
            if (before := known.get(one.account)) and before.door is one.door
            else _Of(one.door, Detour(looks))
            for one in outlets
        }

        def route(outlet: Outlet) -> Route:
            """Its route, made after that of its fallback; no circle is in settings."""
            if outlet.account in found:
                return found[outlet.account]
            door, fallback = outlet.door, outlet.fallback
            detour = self._known[outlet.account].detour
            detour.take(looks)
            made = Route(
                outlet.account,
                outlet.transport,
                door.pace,
                self._lines[door],
                outlet.attempt_seconds,
                detour,
                None if fallback is None else route(by_name[fallback]),
                outlet.accepted_as,
            )
            return found.setdefault(outlet.account, made)

        return [route(one) for one in outlets]
