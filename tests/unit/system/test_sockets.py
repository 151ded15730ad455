"""Binding: every address of a name, one port, and clear words when it fails."""

from __future__ import annotations

import asyncio
import socket

import pytest

from relay.system.sockets import CannotListen, bind


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
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}: Address already"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_not_bound() -> None:
    with pytest.raises(CannotListen, match="this machine has none of its addresses"):
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
