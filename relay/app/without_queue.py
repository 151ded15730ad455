"""How mail of each account leaves without a queue."""

from __future__ import annotations

from collections.abc import Sequence

from relay.app.outlets import Door, Outlet
from relay.delivery.detour import Detour
from relay.delivery.immediate import Route
from relay.delivery.line import Line


def routes(outlets: Sequence[Outlet], *, looks: Sequence[float]) -> list[Route]:
    """A route for each account; those of one door wait in one line."""
    lines: dict[Door, Line] = {}
    found: dict[str, Route] = {}
    by_name = {one.account: one for one in outlets}

    def route(outlet: Outlet) -> Route:
        """Its route, made after that of its fallback; the settings have no circle."""
        if outlet.account in found:
            return found[outlet.account]
        door, fallback = outlet.door, outlet.fallback
        made = Route(
            outlet.account,
            outlet.transport,
            door.pace,
            lines.setdefault(door, Line(door.pace, door.concurrency)),
            outlet.attempt_seconds,
            Detour(looks),
            None if fallback is None else route(by_name[fallback]),
            outlet.accepted_as,
        )
        return found.setdefault(outlet.account, made)

    return [route(one) for one in outlets]
