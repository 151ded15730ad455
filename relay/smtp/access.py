"""Who may talk to a listener, and how much: networks, connections, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from relay.model import Reply
from relay.smtp.wire import Memory

Network = IPv4Network | IPv6Network

NOT_ALLOWED = Reply(554, "7.1", "Access denied: client address not allowed")
TOO_MANY = Reply(421, "3.2", "Too many connections, try again later")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one session; sizes in bytes, `timeout` in seconds."""

    message_size: int
    recipients: int
    line_length: int
    timeout: float


@dataclass(slots=True)
class Doorkeeper:
    """Counts the sessions of all listeners together, and what they hold in memory."""

    connections: int
    memory: Memory
    open: int = field(default=0)

    def admit(self, peer: str, allow: Sequence[Network]) -> Reply | None:
        """Count a client that just connected; or what it is told instead.

        Called as the connection is made, so that of many at once just the allowed
        number comes in. Who was admitted must `leave`.
        """
        if not allowed(peer, allow):
            return NOT_ALLOWED
        if self.open >= self.connections:
            return TOO_MANY
        self.open += 1
        return None

    def leave(self) -> None:
        self.open -= 1


def allowed(peer: str, allow: Sequence[Network]) -> bool:
    """Tell whether the address lies in a network; ::ffff:a.b.c.d counts as a.b.c.d."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in allow)
