"""Which client may talk to a listener."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from relay.smtp.access import NOT_ALLOWED, TOO_MANY, Doorkeeper, allowed
from relay.smtp.wire import Memory

LOCAL = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_client_in_the_networks_is_allowed(peer: str) -> None:
    assert allowed(peer, LOCAL)


@pytest.mark.parametrize("peer", ["10.0.0.1", "::2", "::ffff:10.0.0.1", "", "/run/x"])
def test_trap_12_a_client_outside_the_networks_is_not(peer: str) -> None:
    assert not allowed(peer, LOCAL)


def test_a_link_local_address_is_compared_without_its_zone() -> None:
    assert allowed("fe80::1%eth0", [ip_network("fe80::/10")])


def test_the_doorkeeper_tells_why() -> None:
    door = Doorkeeper(connections=1, memory=Memory(10))
    assert door.admit("10.0.0.1", LOCAL) == NOT_ALLOWED
    assert door.admit("127.0.0.1", LOCAL) is None
    assert door.admit("127.0.0.1", LOCAL) == TOO_MANY
    door.leave()
    assert door.admit("127.0.0.1", LOCAL) is None
