"""The limits of the real process: connections, time, pace, and clients that do harm."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.server.relay_process import RelayProcess, environment, running_relay, until
from tests.server.test_life import MAIL, Client

HOST = "127.0.0.1"


def resident(relay: RelayProcess) -> int:
    """Bytes of memory that the relay has in use."""
    status = Path(f"/proc/{relay.process.pid}/status").read_text("ascii")
    (line,) = (one for one in status.splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def test_connections_above_the_number_are_refused_and_let_in_once_there_is_room() -> (
    None
):
    with running_relay(settings={"RELAY_LIMITS__CONNECTIONS": "2"}) as relay:
        first, second = Client(relay.port()), Client(relay.port())
        assert first.reply().startswith("220 ")
        assert second.reply().startswith("220 ")
        third = Client(relay.port())
        assert third.reply().startswith("421 4.3.2 ")
        assert third.reply() == ""
        assert relay.event("client refused")["reply"].startswith("421 4.3.2 ")
        third.close()
        second.say("QUIT")
        assert second.reply().startswith("221 ")
        assert second.reply() == ""
        fourth = Client(relay.port())
        assert fourth.reply().startswith("220 ")
        for client in (first, second, fourth):
            client.close()


def test_one_address_has_its_own_number_of_connections() -> None:
    settings = {"RELAY_LIMITS__CONNECTIONS_PER_CLIENT": "1"}
    with running_relay(settings=settings) as relay:
        first = Client(relay.port())
        assert first.reply().startswith("220 ")
        second = Client(relay.port())
        assert second.reply().startswith("421 4.7.0 ")
        # Another address of this machine is another client.
        other = socket.create_connection(
            (HOST, relay.port()), timeout=60, source_address=("127.0.0.2", 0)
        )
        assert other.recv(4) == b"220 "
        entry = relay.event("client refused")
        assert (entry["peer"], entry["reply"][:9]) == (HOST, "421 4.7.0")
        other.close()
        for client in (first, second):
            client.close()


def test_the_pace_holds_over_connections_for_an_address() -> None:
    settings = {"RELAY_LIMITS__MESSAGES_PER_MINUTE": "2"}
    with running_relay(settings=settings) as relay:
        codes = []
        for _ in range(3):
            client = Client(relay.port())
            client.reply()
            client.say("EHLO t")
            client.reply()
            client.say("MAIL FROM:<a@b.example>")
            codes.append(client.reply()[:9])
            client.close()
        assert codes == ["250 2.1.0", "250 2.1.0", "450 4.7.1"]
        entry = relay.event("command refused")
        assert (entry["level"], entry["peer"]) == ("warning", HOST)
        assert entry["reply"].startswith("450 4.7.1 ")


def test_the_pace_holds_over_addresses_for_a_user() -> None:
    from relay import password

    listener = {
        "name": "local",
        "address": "127.0.0.1:0",
        "auth": "required",
        "insecureAuth": True,
    }
    user = {"name": "app", "passwordHash": password.hashed("s3cret")}
    settings = {
        "RELAY_LISTENERS": json.dumps([listener]),
        "RELAY_USERS": json.dumps([user]),
        "RELAY_LIMITS__MESSAGES_PER_MINUTE": "2",
    }
    with running_relay(settings=settings) as relay:
        codes = []
        for number in range(3):
            one = socket.create_connection(
                (HOST, relay.port()),
                timeout=60,
                source_address=(f"127.0.0.{number + 2}", 0),
            )
            with one, one.makefile("rb") as lines:
                lines.readline()
                one.sendall(b"EHLO t\r\n")
                while lines.readline()[3:4] == b"-":
                    pass
                one.sendall(b"AUTH PLAIN AGFwcABzM2NyZXQ=\r\n")
                assert lines.readline().startswith(b"235 ")
                one.sendall(b"MAIL FROM:<a@b.example>\r\n")
                codes.append(lines.readline()[:9])
        assert codes == [b"250 2.1.0", b"250 2.1.0", b"450 4.7.1"]
        assert relay.event("command refused")["user"] == "app"


def test_a_command_that_drips_in_is_cut_off() -> None:
    with running_relay(settings={"RELAY_LIMITS__TIMEOUT": "1"}) as relay:
        client = Client(relay.port())
        client.reply()
        client.socket.settimeout(0.1)
        answer = b""
        for _ in range(200):
            try:
                client.socket.sendall(b"N")  # a byte now and then, never a command
                answer = client.socket.recv(1000)
                break
            except TimeoutError:
                pass
            except ConnectionError:  # a byte too many has cost the reply
                break
        assert answer == b"" or answer.startswith(b"421 4.4.2 ")
        assert relay.event("client silent")["reply"].startswith("421 4.4.2 ")
        client.close()


def test_data_that_drips_in_is_cut_off_and_kept_nowhere() -> None:
    with running_relay(settings={"RELAY_LIMITS__TIMEOUT": "3"}) as relay:
        client = Client(relay.port())
        client.begin()
        client.socket.settimeout(0.1)
        answer = b""
        for _ in range(200):
            try:
                client.socket.sendall(b"x")
                answer = client.socket.recv(1000)
                break
            except TimeoutError:
                pass
            except ConnectionError:  # a byte too many has cost the reply
                break
        assert answer == b"" or answer.startswith(b"421 4.4.2 ")
        client.close()
        assert relay.event("client silent")["reply"].startswith("421 4.4.2 ")
        assert relay.captured_so_far() == []


def test_data_that_keeps_its_pace_may_take_longer_than_the_timeout() -> None:
    with running_relay(settings={"RELAY_LIMITS__TIMEOUT": "3"}) as relay:
        client = Client(relay.port())
        client.begin()
        line = b"x" * 78 + b"\r\n"
        # 1 MB within 11 seconds would be the pace that is asked for.
        client.socket.sendall(line * 5000)
        for _ in range(4):
            time.sleep(0.9)  # together longer than the timeout
            client.socket.sendall(line * 1875)
        client.socket.sendall(b"\r\n.\r\n")
        assert client.reply().startswith("250 2.0.0 captured as ")
        client.close()
        relay.next_captured()


def test_a_client_that_reads_no_replies_is_cut_off_with_bounded_memory() -> None:
    with running_relay(settings={"RELAY_LIMITS__TIMEOUT": "1"}) as relay:
        before = resident(relay)
        client = Client(relay.port())
        client.reply()
        sent = 0
        try:
            while sent < 200_000:
                # Each answer is fifteen times as long: 26 MB, if somebody kept them.
                client.socket.sendall(b"EHLO t\r\n" * 1000)
                sent += 1000
        except OSError:
            pass
        relay.event("client silent")
        assert resident(relay) - before < 15_000_000
        client.close()
        # And its place is free again.
        other = Client(relay.port())
        assert other.reply().startswith("220 ")
        other.close()


def test_200_000_commands_of_one_client_are_answered_in_bounded_memory() -> None:
    with running_relay() as relay:
        before = resident(relay)
        client = Client(relay.port())
        client.reply()
        for _ in range(20):
            client.socket.sendall(b"NOOP\r\n" * 10_000)
            for _ in range(10_000):
                assert client.file.readline().startswith(b"250 2.0.0 ")
        assert resident(relay) - before < 15_000_000
        client.close()


def test_48_mib_without_a_line_end_are_refused_in_bounded_memory() -> None:
    with running_relay() as relay:
        before = resident(relay)
        client = Client(relay.port())
        client.begin()
        for _ in range(48):
            client.socket.sendall(b"x" * 2**20)
        client.socket.sendall(b"\r\n.\r\n")
        assert client.reply().startswith("554 5.6.0 ")
        assert resident(relay) - before < 15_000_000
        entry = relay.event("command refused")
        assert entry["reply"].startswith("554 5.6.0 ")
        client.say("NOOP")
        assert client.reply().startswith("250 ")
        client.close()


def test_48_mib_as_one_command_are_refused_in_bounded_memory() -> None:
    with running_relay() as relay:
        before = resident(relay)
        client = Client(relay.port())
        client.reply()
        for _ in range(48):
            client.socket.sendall(b"x" * 2**20)
        client.socket.sendall(b"\r\n")
        assert client.reply().startswith("500 5.5.2 ")
        assert resident(relay) - before < 15_000_000
        client.close()


def test_a_million_empty_lines_are_a_mail_in_bounded_memory() -> None:
    with running_relay() as relay:
        before = resident(relay)
        client = Client(relay.port())
        client.begin()
        client.socket.sendall(b"From: a@b.example\r\n\r\n")
        for _ in range(100):
            client.socket.sendall(b"\r\n" * 10_000)
        client.socket.sendall(b".\r\n")
        assert client.reply().startswith("250 2.0.0 captured as ")
        # The mail, its copies while it is worked on, and what `--show` makes of it.
        assert resident(relay) - before < 40_000_000
        client.close()


def worked(relay: RelayProcess) -> float:
    """The processor time that the relay has taken, in seconds."""
    fields = Path(f"/proc/{relay.process.pid}/stat").read_text().rpartition(")")[2]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_ten_thousand_header_fields_and_a_thousand_parts_are_refused_in_time() -> None:
    fields = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    nested = b"From: a@b.example\r\nMIME-Version: 1.0\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(1000)
    )
    with running_relay() as relay:
        client = Client(relay.port())
        client.begin()
        for content in (b"From: a@b.example\r\n" + fields + b"\r\n", nested):
            # A usage makes the parts count: its template takes the mail apart.
            before = worked(relay)
            client.socket.sendall(b"X-Relay-Usage: Generic\r\n" + content + b".\r\n")
            assert client.reply().startswith("554 5.6.0 ")
            assert worked(relay) - before < 3
            client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
            assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        client.close()


def test_5_000_idle_clients_are_held_and_mail_goes_on_beside_them() -> None:
    settings = {"RELAY_LIMITS__CONNECTIONS": "6000"}
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard > 5500, "too few open files allowed"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5500), hard))
    with running_relay(settings=settings) as relay:
        before = resident(relay)

        async def hold() -> None:
            clients = []
            for number in range(5000):
                reader, writer = await asyncio.open_connection(HOST, relay.port())
                clients.append((reader, writer))
                if number % 100 == 99:
                    for one, _ in clients[-100:]:
                        assert (await one.readline()).startswith(b"220 ")
            used = resident(relay) - before
            assert used / 5000 < 25_000, used
            busy = await asyncio.to_thread(submit, relay)
            assert busy.startswith("250 2.0.0 captured as ")
            relay.process.send_signal(signal.SIGTERM)
            for reader, writer in clients:
                assert (await reader.readline()).startswith(b"421 4.3.2 ")
                writer.close()

        asyncio.run(hold())
        assert relay.wait() == 0


def submit(relay: RelayProcess) -> str:
    client = Client(relay.port())
    client.submit()
    answer = client.reply()
    client.close()
    return answer


def test_a_reset_at_any_moment_leaves_nothing_behind() -> None:
    with running_relay(settings={"RELAY_LIMITS__CONNECTIONS": "3"}) as relay:
        words = (
            b"EHLO t\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
        )
        words += MAIL
        for end in range(0, len(words), 7):
            one = socket.create_connection((HOST, relay.port()), timeout=60)
            one.sendall(words[:end])
            linger = b"\1\0\0\0\0\0\0\0"
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            one.close()

            def free() -> bool:
                client = Client(relay.port())
                first = client.reply()
                client.close()
                return first.startswith("220 ")

            until(free)
        assert relay.captured_so_far() == []
        assert relay.stop() == 0
        assert not [one for one in relay.log if one["event"] == "session broken"]


def test_the_limit_of_open_files_is_raised_or_named() -> None:
    settings = environment(
        {
            "RELAY_LISTENERS": '[{"name": "local", "address": "127.0.0.1:0"}]',
            "RELAY_LIMITS__CONNECTIONS": "1000",
        }
    )

    def started(soft: int, hard: int) -> tuple[str, int]:
        """What the relay logs up to `ready`, and its own limit then."""
        script = (
            "import resource, runpy, sys;"
            f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
            "sys.argv = ['relay', 'serve', '--capture'];"
            "runpy.run_module('relay', run_name='__main__')"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script],
            env=settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            text = ""
            for line in process.stderr:
                text += line
                if '"ready"' in line:
                    break
            got, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            process.kill()
            return text, got

    text, got = started(300, 5000)
    assert "limits.connections" not in text
    assert got >= 1550  # 500 of them for the page
    text, got = started(300, 600)
    assert "limits.connections = 1000: this process may have about 280" in text
    assert got == 600
