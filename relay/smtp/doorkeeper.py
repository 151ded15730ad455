"""Who may talk to a listener, and how much: networks, connections, limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.smtp import replies
from relay.smtp.memory import Memory
from relay.smtp.rate import Rate
from relay.system.door import Crowd

Network = IPv4Network | IPv6Network
Told = Callable[[Submission, Reply], None]


class Networks(tuple[Network, ...]):
    """Some networks, each instance another key: to hash what is in it takes long."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


NOWHERE = Networks()
UNIX = "unix"  # what all clients of unix sockets are called: they have no address


class Limits(NamedTuple):
    """The limits of one session; sizes in bytes, `timeout` in seconds."""

    message_size: int
    recipients: int
    line_length: int
    timeout: float


class Doorkeeper:
    """Counts the sessions of all listeners together, their mail, and its memory.

    `per_client`: connections of one address; 0 for no limit of its own. `crowd`:
    those too who are about to be refused.
    """

    def __init__(
        self,
        connections: int,
        memory: Memory,
        *,
        crowd: Crowd,
        per_client: int = 0,
        rate: Rate | None = None,
    ) -> None:
        self.connections = connections
        self.memory = memory
        self.crowd = crowd
        self.per_client = per_client
        self.rate = Rate(0) if rate is None else rate
        self.told: Told | None = None  # of mail that is refused before it is here
        self.open = 0
        self.refusing = 0  # who shake hands only to be refused
        self.clients: Counter[str] = Counter()

    def lets_begin(self, peer: str, user: str, *, now: float) -> bool:
        """Count a mail for its client and its user; False: they had their number."""
        keys = [f"client {peer}"]
        if user:
            keys.append(f"user {user}")
        return self.rate.let_in(keys, now=now)


class Visit:
    """What one session counts for, until it leaves."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper
        self._counted = False
        self._client: str | None = None

    def admit(self, peer: str, allow: Networks) -> Reply | None:
        """Count a client that just connected; or what it is told instead.

        Called as the connection is made, so that of many at once just the allowed
        number comes in.
        """
        if not allowed(peer, allow):
            return replies.NOT_ALLOWED
        return self.count() or self._of_client(peer)

    def admit_local(self) -> Reply | None:
        """The same of a client of a unix socket, which its file let in."""
        return self.count() or self._of_client(UNIX)

    def count(self) -> Reply | None:
        """Count a connection whose client is not known yet, as behind a proxy."""
        doorkeeper = self._doorkeeper
        if doorkeeper.open >= doorkeeper.connections:
            return replies.TOO_MANY
        doorkeeper.open += 1
        self._counted = True
        return None

    def identify(self, peer: str, allow: Networks) -> Reply | None:
        """Count the connection as this client's; or what it is told instead."""
        return self._of_client(peer) if allowed(peer, allow) else replies.NOT_ALLOWED

    def _of_client(self, peer: str) -> Reply | None:
        doorkeeper = self._doorkeeper
        if doorkeeper.per_client:
            if doorkeeper.clients[peer] >= doorkeeper.per_client:
                return replies.TOO_MANY_OF_CLIENT
            doorkeeper.clients[peer] += 1
            self._client = peer
        return None

    def leave(self) -> None:
        """Give back what was counted."""
        doorkeeper = self._doorkeeper
        if self._counted:
            self._counted = False
            doorkeeper.open -= 1
        if self._client is not None:
            doorkeeper.clients[self._client] -= 1
            if not doorkeeper.clients[self._client]:
                del doorkeeper.clients[self._client]
            self._client = None


def plain(peer: str) -> str:
    """The address without its zone; ::ffff:a.b.c.d is a.b.c.d."""
    peer = peer.partition("%")[0]
    if peer.startswith("::ffff:"):
        mapped = IPv6Address(peer).ipv4_mapped
        return str(mapped) if mapped else peer
    return peer


@lru_cache(maxsize=1024)  # who connects once will again
def allowed(peer: str, networks: Networks) -> bool:
    """Tell whether the address lies in a network; ::ffff:a.b.c.d counts as a.b.c.d."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
