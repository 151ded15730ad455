"""What the log tells of accounts whose mail does not leave at present."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from relay import config, log
from relay.app.outlets import Outlet
from relay.delivery.admission import Admission
from relay.model.guard import KEPT


def log_pauses(leaving: Sequence[Outlet], gates: Mapping[str, Admission]) -> None:
    """Have the log tell when an account's mail goes elsewhere, or waits for it alone.

    Of one account its mail's own lines tell that.
    """
    own = [one for one in leaving if one.account != KEPT]
    tells: dict[Admission, list[Callable[[str], None]]] = {
        gate: [] for gate in gates.values()
    }
    for one in own if len(own) > 1 else ():

        def tell(reason: str, one: Outlet = one) -> None:
            goes_by = None if one.fallback is None else one.fallback or config.DEFAULT
            log.line(
                logging.WARNING if reason else logging.INFO,
                "account paused" if reason else "account resumed",
                account=one.account or config.DEFAULT,
                reason=reason,
                fallback=goes_by if reason else None,
            )

        if one.account in gates:
            tells[gates[one.account]].append(tell)
    for gate, told in tells.items():
        gate.on_pause(*told)
