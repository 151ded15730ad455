"""The PROXY protocol in front of the real process: what is demanded and logged."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.server.relay_process import RelayProcess, running_relay
from tests.server.test_life import Client, relay_command


def listeners(**more: object) -> str:
    one = {"name": "local", "address": "127.0.0.1:0", "proxies": ["127.0.0.0/8"]}
    return json.dumps([{**one, "allow": ["192.0.2.0/24"], **more}])


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    settings = {
        "RELAY_LISTENERS": listeners(),
        "RELAY_LIMITS__TIMEOUT": "1",
        "RELAY_LIMITS__CONNECTIONS_PER_CLIENT": "1",
    }
    with running_relay(settings=settings) as running:
        yield running


def said(relay: RelayProcess, data: bytes) -> bytes:
    """All that the relay says to a connection that begins with `data`."""
    with socket.create_connection(("127.0.0.1", relay.port()), timeout=60) as one:
        one.sendall(data)
        found = b""
        while chunk := one.recv(1000):
            found += chunk
        return found


def test_a_connection_without_a_header_is_closed_in_time_and_logged(
    relay: RelayProcess,
) -> None:
    assert said(relay, b"") == b""
    entry = relay.event("PROXY header refused")
    assert entry["reason"] == "it did not come in time"
    assert entry["peer"] == "127.0.0.1"


def test_a_malformed_header_is_closed_without_a_word_and_logged(
    relay: RelayProcess,
) -> None:
    assert said(relay, b"PROXY TCP4 192.0.2.1 nobody 1 2\r\nEHLO t\r\n") == b""
    relay.event("PROXY header refused", lambda one: "an address" in one["reason"])


def test_the_named_client_is_in_the_log_and_in_the_mails_line(
    relay: RelayProcess,
) -> None:
    client = Client(relay.port())
    client.say("PROXY TCP4 192.0.2.77 198.51.100.1 40000 25")
    client.submit()
    assert client.reply().startswith("250 2.0.0 captured as ")
    client.close()
    assert relay.event("captured")["peer"] == "192.0.2.77"
    refused = b"PROXY TCP4 203.0.113.5 198.51.100.1 40000 25\r\n"
    assert said(relay, refused).startswith(b"554 5.7.1 ")
    entry = relay.event("client refused")
    assert (entry["peer"], entry["proxy"]) == ("203.0.113.5", "127.0.0.1")


def test_connections_are_counted_for_the_named_client_not_for_the_proxy(
    relay: RelayProcess,
) -> None:
    first, second, third = (Client(relay.port()) for _ in range(3))
    first.say("PROXY TCP4 192.0.2.1 198.51.100.1 40000 25")
    assert first.reply().startswith("220 ")
    second.say("PROXY TCP4 192.0.2.2 198.51.100.1 40000 25")
    assert second.reply().startswith("220 ")
    third.say("PROXY TCP4 192.0.2.1 198.51.100.1 40000 25")
    assert third.reply().startswith("421 4.7.0 ")
    for client in (first, second, third):
        client.close()


def test_a_header_in_pieces_is_read() -> None:
    with running_relay(settings={"RELAY_LISTENERS": listeners()}) as relay:
        header = (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x9c\x40\0\x19"
        )
        with socket.create_connection(("127.0.0.1", relay.port()), timeout=60) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for position in range(len(header)):
                one.sendall(header[position : position + 1])
            assert one.recv(4) == b"220 "


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"allow": ["0.0.0.0/0"]}, "through its proxies: an open relay"),
        ({"auth": "any"}, 'auth = "any": only on a loopback address, and without'),
    ],
)
def test_behind_a_proxy_a_loopback_listener_is_no_private_one(
    more: dict[str, object], said: str
) -> None:
    settings = {"RELAY_LISTENERS": listeners(**more), "RELAY_TRANSPORT": "capture"}
    done = relay_command("serve", settings=settings)
    assert done.returncode == 2
    assert said in done.stderr
