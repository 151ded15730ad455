"""Binding: every address of a name, one port, and clear words when it fails."""

from __future__ import annotations

import asyncio
import os
import re
import socket

import pytest

from relay.system.port_holder import holder
from relay.system.sockets import CannotListen, CannotListenNow, bind


def test_trap_46_port_0_gives_all_addresses_of_a_name_one_port() -> None:
    bound = bind("localhost", 0)
    try:
        assert len({sock.getsockname()[1] for sock in bound}) == 1
        assert {sock.getsockname()[0] for sock in bound} <= {"127.0.0.1", "::1"}
    finally:
        for sock in bound:
            sock.close()


def test_trap_6_only_the_given_address_is_bound() -> None:
    (sock,) = bind("127.0.0.1", 0)
    with sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        holder = re.escape(f"by process {os.getpid()} (")
        words = f"^127.0.0.1:{port}: Address already in use, {holder}.*; stop that"
        with pytest.raises(CannotListenNow, match=words):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2"])
def test_the_holder_of_another_address_is_not_blamed(host: str) -> None:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        two.bind(("127.0.0.3", port))
        two.listen()
        assert holder(["127.0.0.1"], port) == ""
        one.listen()
        assert holder([host], port) == (
            "" if host == "127.0.0.2" else holder(["127.0.0.1"], port)
        )
        assert f"process {os.getpid()} (" in holder(["127.0.0.1"], port)


def test_a_listener_on_all_addresses_holds_each_of_them() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            sock.bind(("::", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        sock.listen()
        port = sock.getsockname()[1]
        for host in ("127.0.0.1", "::1", "fe80::1%lo"):
            assert f"process {os.getpid()} (" in holder([host], port)


def test_an_address_of_another_machine_is_not_bound() -> None:
    words = "this machine has none of its addresses"
    with pytest.raises(CannotListenNow, match=words):  # the network may come
        bind("192.0.2.1", 0)


def test_a_name_that_nobody_knows_is_named() -> None:
    with pytest.raises(CannotListen, match=r"nowhere\.invalid:25: .*no such host"):
        bind("nowhere.invalid", 25)


async def test_small_replies_to_clients_are_not_held_back() -> None:
    found: asyncio.Queue[int] = asyncio.Queue()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        found.put_nowait(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    (bound,) = bind("127.0.0.1", 0)
    async with await asyncio.start_server(connected, sock=bound):
        with socket.create_connection(bound.getsockname()):
            assert await found.get() != 0
