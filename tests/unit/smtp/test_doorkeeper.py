"""Which client may talk to a listener."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from relay.smtp.doorkeeper import Doorkeeper, Networks, Visit, allowed, plain
from relay.smtp.memory import Memory
from relay.smtp.rate import Rate
from relay.smtp.replies import NOT_ALLOWED, TOO_MANY, TOO_MANY_OF_CLIENT
from relay.system.door import Crowd

LOCAL = Networks([ip_network("127.0.0.0/8"), ip_network("::1/128")])


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_client_in_the_networks_is_allowed(peer: str) -> None:
    assert allowed(peer, LOCAL)


@pytest.mark.parametrize("peer", ["10.0.0.1", "::2", "::ffff:10.0.0.1", "", "/run/x"])
def test_trap_12_a_client_outside_the_networks_is_not(peer: str) -> None:
    assert not allowed(peer, LOCAL)


def test_a_link_local_address_is_compared_without_its_zone() -> None:
    assert allowed("fe80::1%eth0", Networks([ip_network("fe80::/10")]))


def test_the_doorkeeper_tells_why() -> None:
    door = Doorkeeper(connections=1, memory=Memory(10), crowd=Crowd(1))
    first, second = Visit(door), Visit(door)
    assert second.admit("10.0.0.1", LOCAL) == NOT_ALLOWED
    assert first.admit("127.0.0.1", LOCAL) is None
    assert second.admit("127.0.0.1", LOCAL) == TOO_MANY
    second.leave()
    assert door.open == 1
    first.leave()
    first.leave()
    assert door.open == 0
    assert second.admit("127.0.0.1", LOCAL) is None


def test_each_client_has_its_own_number_of_connections() -> None:
    door = Doorkeeper(connections=10, memory=Memory(10), crowd=Crowd(10), per_client=1)
    first, second, other = Visit(door), Visit(door), Visit(door)
    assert first.admit("127.0.0.1", LOCAL) is None
    assert other.admit("127.0.0.2", LOCAL) is None
    assert second.admit("127.0.0.1", LOCAL) == TOO_MANY_OF_CLIENT
    second.leave()
    first.leave()
    assert second.admit("127.0.0.1", LOCAL) is None
    second.leave()
    other.leave()
    assert (door.open, dict(door.clients)) == (0, {})


def test_a_client_behind_a_proxy_is_counted_once_it_is_named() -> None:
    door = Doorkeeper(connections=2, memory=Memory(10), crowd=Crowd(2), per_client=1)
    first, second, third = Visit(door), Visit(door), Visit(door)
    assert first.count() is None
    assert second.count() is None
    assert third.count() == TOO_MANY
    assert first.identify("10.0.0.1", LOCAL) == NOT_ALLOWED
    assert second.identify("127.0.0.1", LOCAL) is None
    for visit in (first, second, third):
        visit.leave()
    assert (door.open, dict(door.clients)) == (0, {})


def test_an_address_is_written_without_its_zone_and_its_ipv6_dress() -> None:
    assert plain("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain("fe80::1%eth0") == "fe80::1"
    assert plain("::1") == "::1"
    assert plain("192.0.2.1") == "192.0.2.1"


def test_a_mail_counts_for_its_client_and_for_its_user() -> None:
    doorkeeper = Doorkeeper(10, Memory(0), crowd=Crowd(10), rate=Rate(1))
    assert doorkeeper.lets_begin("192.0.2.1", "shop", now=0)
    assert not doorkeeper.lets_begin("192.0.2.1", "", now=1)
    assert not doorkeeper.lets_begin("192.0.2.2", "shop", now=1)
    assert doorkeeper.lets_begin("192.0.2.2", "", now=1)
