"""Sockets that systemd hands over: who connects across a restart is not refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from relay.cli import connection
from tests.server.relay_process import WAIT, RelayProcess, environment
from tests.server.test_queue_disk import submit

# As systemd does: from 3 on, with the number of the process that is begun.
HAND_OVER = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for place, fd in enumerate(fds):
    os.dup2(fd, 3 + place)
    os.close(fd)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-W", "error", "-m", "relay", *sys.argv[2:]])
"""
Given = Sequence[tuple[str, int]]


def listener(name: str, address: str) -> dict[str, str]:
    return {"name": name, "address": address}


@contextmanager
def relay_with(
    given: Given,
    listeners: Sequence[Mapping[str, str]],
    settings: Mapping[str, str] | None = None,
) -> Iterator[RelayProcess]:
    """A capturing relay to which these descriptors are handed over, by their names."""
    descriptors = [fd for _, fd in given]
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", HAND_OVER, ",".join(map(str, descriptors))),
                *("serve", "--capture", "--show"),
            ],
            pass_fds=descriptors,
            cwd=directory,
            env=environment(
                {
                    "RELAY_LISTENERS": json.dumps(listeners),
                    "RELAY_LOG__FORMAT": "json",
                    "RELAY_WEB__LISTEN": "",
                    "LISTEN_FDS": str(len(given)),
                    "LISTEN_FDNAMES": ":".join(name for name, _ in given),
                    **(settings or {}),
                }
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        relay = RelayProcess(process)
        try:
            yield relay
        finally:
            relay.stop()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def test_who_connects_across_a_restart_waits_and_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as held:
        given = [("apps", held.fileno())]
        address = f"127.0.0.1:{port_of(held)}"
        listeners = [listener("apps", address)]
        with relay_with(given, listeners) as relay:
            told = relay.event("listening", lambda one: one["listener"] == "apps")
            assert told["address"] == address
            relay.event("ready")
            assert submit(port_of(held), "before")[0] == 250
            assert relay.stop() == 0
        # Nobody runs: the system takes them for the one who will.
        with ExitStack() as clients:
            waiting = [
                clients.enter_context(
                    socket.create_connection(("127.0.0.1", port_of(held)), WAIT)
                )
                for _ in range(20)
            ]
            with relay_with(given, listeners) as relay:
                for client in waiting:
                    assert client.recv(100).startswith(b"220 ")
                assert submit(port_of(held), "after")[0] == 250
                relay.event("ready")


def test_a_listener_without_a_socket_opens_its_own() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as held,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        # Two of one listener; a name stands for all that systemd has of it.
        given = [("apps", held.fileno()), ("apps", second.fileno())]
        listeners = [
            listener("own", "127.0.0.1:0"),
            listener("apps", "127.0.0.1:0"),
        ]
        with relay_with(given, listeners) as relay:
            relay.event("ready")
            ports = [port_of(held), port_of(second), relay.port("own")]
            assert [submit(port, "one")[0] for port in ports] == [250, 250, 250]


def test_sockets_for_another_process_are_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        given = [("apps", held.fileno())]
        for whose in ("1", "", "x"):
            with relay_with(
                given, [listener("local", "127.0.0.1:0")], {"LISTEN_PID": whose}
            ) as relay:
                relay.event("ready")
                assert relay.port("local") != port_of(held)


def refused(given: Given, address: str) -> tuple[int, str]:
    with relay_with(given, [listener("apps", address)]) as relay:
        return relay.wait(), relay.stderr[-1].strip()


def test_a_name_that_no_listener_has_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = port_of(held)
        code, said = refused([("smtp", held.fileno())], "127.0.0.1:0")
    assert code == 2
    assert said == (
        f'systemd hands over "smtp", which listens on 127.0.0.1:{port}, and no '
        'listener has this name; let FileDescriptorName= of its unit be "apps"'
    )


@pytest.mark.parametrize("host", ["127.0.0.2", "0.0.0.0"])
def test_an_address_that_the_settings_do_not_say_is_refused(host: str) -> None:
    """Else who reaches the listener would not be what the settings were judged by."""
    with socket.create_server((host, 0)) as held:
        port = port_of(held)
        address = f"127.0.0.1:{port}"
        code, said = refused([("apps", held.fileno())], address)
    assert code == 2
    assert said == (
        f"listener apps: systemd listens on {host}:{port} for it, and its address is "
        f"{address}; let ListenStream= of the socket's unit say the same"
    )


def test_another_port_is_refused() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as held,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        address = f"127.0.0.1:{port_of(other)}"
        code, said = refused([("apps", held.fileno())], address)
    assert code == 2
    assert f"and its address is {address};" in said


def test_what_no_client_can_connect_to_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as not_listening,
    ):
        for sock in (datagrams, not_listening):
            code, said = refused([("apps", sock.fileno())], "127.0.0.1:0")
            assert code == 2
            assert said == (
                'systemd hands over "apps", to which no client can connect; its unit '
                "needs ListenStream= with a port or a path, and Accept=no"
            )


def test_a_unix_socket_is_that_of_its_listener_alone(tmp_path: Path) -> None:
    path = tmp_path / "smtp.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        held.bind(str(path))
        held.listen()
        given = [("apps", held.fileno())]
        with relay_with(given, [listener("apps", f"unix:{path}")]) as relay:
            relay.event("ready")
            with connection.connected(
                connection.place(f"unix:{path}"), tls="off", timeout=WAIT, trust=None
            ) as client:
                client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\nx")
            assert relay.stop() == 0
        assert path.is_socket()  # which is systemd's to remove
        for address in ("127.0.0.1:0", f"unix:{path}x"):
            code, said = refused(given, address)
            assert code == 2
            assert f"systemd listens on unix:{path} for it, and its address" in said
    with socket.create_server(("127.0.0.1", 0)) as port:
        code, said = refused([("apps", port.fileno())], f"unix:{path}")
    assert code == 2
    assert f"and its address is unix:{path};" in said


def test_what_is_no_socket_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        with socket.create_server(("127.0.0.1", 0)) as held:
            given = [("apps", held.fileno()), ("fifo", reading)]
            code, said = refused(given, "127.0.0.1:0")
    finally:
        os.close(reading)
        os.close(writing)
    assert code == 2
    assert said == (
        'systemd hands over "fifo", which is no socket; take it out of the unit'
    )
