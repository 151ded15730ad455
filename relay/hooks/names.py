"""The addresses of an endpoint's name, without those that it must not lead to.

What is given here is what is connected to, so that a name cannot have one address
when it is looked at and another when it is used.
"""

from __future__ import annotations

from relay.hooks.endpoint import Reach
from relay.ses.http.names import Addresses, Names
from relay.system.public import is_loopback, is_public

PATIENCE = 5.0  # seconds for a resolver


class Barred(OSError):  # noqa: N818 - a statement about the name
    """The name has no address that may be connected to."""


class NamesWithin(Names):
    """Finds addresses within `reach` alone."""

    def __init__(self, reach: Reach) -> None:
        super().__init__(patience=PATIENCE)
        self._reach = reach

    async def addresses(self, host: str, port: int, family: int = 0) -> Addresses:
        """Those of `host` that may be connected to; raises Barred if none is."""
        found = await super().addresses(host, port, family)
        allowed = [one for one in found if self._may(str(one[4][0]))]
        if found and not allowed:
            if self._reach is Reach.LOOPBACK:
                raise Barred(
                    f"{host} is not this machine, which nothing leaves in capture mode"
                )
            raise Barred(
                f"{host} has private addresses alone; set allowPrivate = true where "
                "that is meant"
            )
        return allowed

    def _may(self, address: str) -> bool:
        match self._reach:
            case Reach.ANY:
                return True
            case Reach.LOOPBACK:
                return is_loopback(address)
        return is_public(address)
