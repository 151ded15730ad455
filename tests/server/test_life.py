"""Start, stop and exit codes of the real process; clients that leave, and many."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay import __version__
from tests.fake_ses import FakeSes
from tests.server.disks import fill, tmpfs
from tests.server.relay_process import (
    ROOT,
    WAIT,
    RelayProcess,
    environment,
    running_relay,
    until,
)
from tests.server.tools import need

MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n"


def through(ses: FakeSes, **more: str) -> dict[str, str]:
    """Settings that send through the fake SES."""
    return {
        "RELAY_SES__REGION": "eu-west-1",
        "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
        "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
        "RELAY_SES__ENDPOINT_URL": ses.url,
        **more,
    }


class Client:
    """A client by hand, for what smtplib would never do."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        self.file = self.socket.makefile("rb")

    def say(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def reply(self) -> str:
        """The last line of the next reply."""
        while (line := self.file.readline())[3:4] == b"-":
            pass
        return line.decode().rstrip("\r\n")

    def begin(self) -> None:
        """Go as far as 354."""
        assert self.reply().startswith("220 ")
        self.say("EHLO t", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
        replies = [self.reply() for _ in range(4)]
        assert replies[3].startswith("354 "), replies

    def submit(self) -> None:
        """Send all of a mail, and wait for nothing."""
        self.begin()
        self.socket.sendall(MAIL + b".\r\n")

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def without_rights() -> list[str]:
    """What runs a command so that modes and privileges hold, for root too."""
    if os.geteuid() != 0:
        return []
    return [need("setpriv", "util-linux"), "--bounding-set=-all", "--inh-caps=-all"]


def relay_command(
    *arguments: str,
    settings: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    through: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """`relay` to its end; `through` is a command that runs it."""
    return subprocess.run(
        [*through, sys.executable, "-m", "relay", *arguments],
        cwd=cwd,
        env=environment(settings or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_trap_27_idle_clients_get_421_and_do_not_hold_the_stop() -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        assert client.reply().startswith("220 ")
        assert relay.stop() == 0
        assert client.reply() == "421 4.3.2 Shutting down, try again later"
        client.close()
        assert relay.event("stopped")


def test_a_transaction_under_way_ends_before_the_stop() -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        client.begin()
        relay.process.send_signal(signal.SIGTERM)
        relay.event("stopping")
        client.socket.sendall(MAIL + b".\r\n")
        assert client.reply().startswith("250 2.0.0 captured as ")
        assert client.reply() == "421 4.3.2 Shutting down, try again later"
        client.close()
        assert relay.wait() == 0


def test_a_new_transaction_is_refused_while_stopping() -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        client.begin()
        relay.process.send_signal(signal.SIGTERM)
        relay.event("stopping")
        client.socket.sendall(MAIL + b".\r\nMAIL FROM:<a@b.example>\r\n")
        assert client.reply().startswith("250 ")
        assert client.reply().startswith("421 4.3.2 ")
        client.close()
        assert relay.wait() == 0


def test_a_second_signal_ends_the_grace_with_exit_code_3() -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        client.begin()
        relay.process.send_signal(signal.SIGTERM)
        relay.event("stopping")
        relay.process.send_signal(signal.SIGTERM)
        assert relay.wait() == 3
        client.close()


def test_any_number_of_signals_ends_the_relay_without_a_word_of_a_bug() -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        client.begin()
        for _ in range(20):
            relay.process.send_signal(signal.SIGTERM)
        assert relay.wait() == 3
        client.close()
        assert {entry["event"] for entry in relay.log} <= {
            "listening",
            "ready",
            "stopping",
            "stopped with work cut off",
        }


def test_grace_ends_what_does_not_end_by_itself() -> None:
    settings = {
        "RELAY_GRACE": "1",
        "RELAY_QUEUE__ANSWER_WITHIN": "0.2",
        "RELAY_SES__ATTEMPT_TIMEOUT": "0.5",
        "RELAY_SES__CONNECT_TIMEOUT": "0.3",
    }
    with running_relay(settings=settings) as relay:
        client = Client(relay.port())
        client.begin()
        assert relay.stop() == 3
        client.close()


async def test_mail_in_hand_is_sent_and_answered_during_the_stop() -> None:
    async with FakeSes(seconds=1) as ses:

        def run() -> tuple[str, int]:
            with running_relay("-c", os.devnull, settings=through(ses)) as relay:
                client = Client(relay.port())
                client.submit()
                until(lambda: bool(ses.requests))
                relay.process.send_signal(signal.SIGTERM)
                reply = client.reply()
                client.close()
                return reply, relay.wait()

        reply, code = await asyncio.to_thread(run)
    assert reply.startswith("250 2.0.0 Ok ")
    assert code == 0


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_trap_23_and_45_a_client_that_leaves_takes_no_mail_with_it(
    how: str,
) -> None:
    async with FakeSes(seconds=0.5) as ses:

        def run() -> str:
            with running_relay("-c", os.devnull, settings=through(ses)) as relay:
                client = Client(relay.port())
                client.submit()
                reply = ""
                if how == "half-close":
                    client.socket.shutdown(socket.SHUT_WR)
                    reply = client.reply()
                elif how == "reset":
                    linger = b"\x01\0\0\0\0\0\0\0"
                    client.socket.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, linger
                    )
                client.close()
                sent = relay.event("sent")
                assert sent["attempts"] == 1
                return reply

        reply = await asyncio.to_thread(run)
        assert len(ses.sent) == 1
    assert reply.startswith("250 " if how == "half-close" else "")


def test_more_connections_than_allowed_get_421() -> None:
    with running_relay(settings={"RELAY_LIMITS__CONNECTIONS": "2"}) as relay:
        clients = [Client(relay.port()) for _ in range(3)]
        greetings = [client.reply() for client in clients]
        assert greetings[2] == "421 4.3.2 Too many connections, try again later"
        clients[0].close()
        clients[2].close()
        # The place is free again as soon as its client is gone.
        until(lambda: _greeted(relay.port()))
        clients[1].close()


def _greeted(port: int) -> bool:
    client = Client(port)
    greeting = client.reply()
    client.close()
    return greeting.startswith("220 ")


def test_trap_24_a_silent_client_is_cut_off_and_a_drip_too() -> None:
    with running_relay(settings={"RELAY_LIMITS__TIMEOUT": "2"}) as relay:
        silent = Client(relay.port())
        assert silent.reply().startswith("220 ")
        assert silent.reply() == "421 4.4.2 Timeout, closing connection"
        silent.close()
        dripping = Client(relay.port())
        dripping.begin()
        reply = ""
        dripping.socket.settimeout(0.1)
        for _ in range(200):
            try:
                dripping.socket.sendall(b"x")
                reply = dripping.socket.recv(100).decode()
                break
            except TimeoutError:
                continue
            except ConnectionError:  # a byte too many has cost the reply
                break
        assert reply in ("", "421 4.4.2 Timeout, closing connection\r\n")
        until(lambda: [one["event"] for one in relay.log].count("client silent") == 2)
        dripping.close()


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    settings = {"RELAY_LIMITS__TIMEOUT": "0.5"}
    with running_relay(settings=settings) as relay:
        client = Client(relay.port())
        flood = b"NOOP\r\n" * 4_000_000  # its replies fill all buffers between
        with pytest.raises((ConnectionError, TimeoutError)):
            client.socket.sendall(flood)
        client.close()
        assert _greeted(relay.port())


def test_a_port_that_stays_taken_is_exit_code_4_and_its_holder_is_named() -> None:
    with running_relay() as relay:
        port = relay.port()
        listeners = f'[{{"address": "127.0.0.1:{port}"}}]'
        second = relay_command(
            "serve", "--capture", settings={"RELAY_LISTENERS": listeners}
        )
        pid = relay.process.pid
    assert second.returncode == 4
    last = second.stderr.splitlines()[-1]
    assert f"127.0.0.1:{port}: Address already in use, by process {pid} (" in last
    assert last.endswith("; stop that, or choose another address")
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_for_a_while_is_waited_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        listeners = json.dumps([{"name": "local", "address": f"127.0.0.1:{port}"}])
        with running_relay(
            settings={"RELAY_LISTENERS": listeners}, up_to="waiting"
        ) as relay:
            assert "Address already in use" in relay.event("waiting")["reason"]
            taken.close()
            relay.event("ready")
            assert relay.port() == port
            assert _greeted(port)


def test_a_full_disk_at_the_start_is_exit_code_4(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", size="1m") as disk:
        fill(disk)
        settings = {
            "RELAY_TRANSPORT": "capture",
            "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
            "RELAY_WEB__LISTEN": "",
            "RELAY_QUEUE__PATH": str(disk / "spool.db"),
        }
        found = relay_command("serve", settings=settings, cwd=tmp_path)
    assert found.returncode == 4
    assert "make room on its disk" in found.stderr
    assert "Traceback" not in found.stderr


@contextmanager
def half_started(
    directory: Path,
) -> Iterator[tuple[RelayProcess, sqlite3.Connection]]:
    """A relay that listens, and waits for its spool, which another program holds."""
    path = directory / "spool.db"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    settings = {
        "RELAY_TRANSPORT": "capture",
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_QUEUE__PATH": str(path),
    }
    try:
        with running_relay(
            "-c", os.devnull, settings=settings, up_to="listening"
        ) as relay:
            yield relay, holder
    finally:
        holder.close()


def test_a_client_greeted_before_a_mistake_is_found_hears_421(tmp_path: Path) -> None:
    with half_started(tmp_path) as (relay, holder):
        client = Client(relay.port())
        greeting = client.reply()
        client.say("EHLO t", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>")
        holder.execute("CREATE TABLE anothers (x)")
        holder.execute("COMMIT")
        last = client.file.read().splitlines()[-1]
        client.close()
        code = relay.wait()
    assert greeting.startswith("220 ")
    assert last.startswith(b"421 ")
    assert code == 2
    said = "".join(relay.stderr)
    assert "another program's database" in said
    assert "Traceback" not in said


def test_a_stop_in_the_middle_of_the_start_answers_who_waits(tmp_path: Path) -> None:
    with half_started(tmp_path) as (relay, holder):
        client = Client(relay.port())
        client.submit()
        relay.process.send_signal(signal.SIGTERM)
        relay.event("stopping")
        holder.execute("ROLLBACK")
        reply = client.reply()
        client.close()
        code = relay.wait()
    assert reply.startswith("250 2.0.0 ")
    assert code == 0


def test_a_name_service_that_is_away_is_exit_code_4(tmp_path: Path) -> None:
    settings = {"RELAY_LISTENERS": '[{"address": "relay.acme.example:1025"}]'}
    # A network without anybody in it: no name service answers, as at boot.
    alone = [need("unshare", "util-linux"), "--net", "--map-root-user"]
    found = relay_command(
        "serve", "--capture", settings=settings, cwd=tmp_path, through=alone
    )
    if "unshare" in found.stderr:
        pytest.skip(f"no network of its own here: {found.stderr.strip()}")
    assert found.returncode == 4
    last = found.stderr.splitlines()[-1]
    assert last.startswith("listener local: relay.acme.example:1025: ")
    assert last.endswith(": no such host, or no name service yet")


def test_a_port_without_the_privilege_for_it_says_the_cure(tmp_path: Path) -> None:
    settings = {"RELAY_LISTENERS": '[{"address": "127.0.0.1:25"}]'}
    found = relay_command(
        "serve", "--capture", settings=settings, cwd=tmp_path, through=without_rights()
    )
    if found.returncode != 2:
        pytest.skip("ports below 1024 need no privilege here")
    assert found.stderr.splitlines()[-1] == (
        "listener local: 127.0.0.1:25: Permission denied: ports below 1024 need a "
        "privilege; give it (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE, which "
        "CapabilityBoundingSet= must hold too; container: --sysctl "
        "net.ipv4.ip_unprivileged_port_start=0), or choose a port from 1024 on"
    )


@pytest.mark.parametrize("command", ["serve", "check", "render SignIn", "queue list"])
def test_a_working_directory_that_may_not_be_read_is_said_and_exit_code_2(
    tmp_path: Path, command: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0)
    found = relay_command(*command.split(), cwd=closed, through=without_rights())
    closed.chmod(0o700)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        f"./config.toml: Permission denied: user {os.geteuid()} may not look into the "
        "working directory; name the settings with -c FILE or RELAY_CONFIG, or start "
        "in another directory\n"
    )


def test_settings_that_may_not_be_read_are_named_and_exit_code_2(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    file = closed / "config.toml"
    file.write_text('transport = "capture"\n')
    for path in (file, closed):
        path.chmod(0)
        for command in ("serve", "check"):
            found = relay_command(
                command, "-c", str(file), cwd=tmp_path, through=without_rights()
            )
            assert (found.returncode, found.stdout) == (2, "")
            assert found.stderr == (
                f"{file}: Permission denied; must be a file that user "
                f"{os.geteuid()} may read\n"
            )
        path.chmod(0o700)


def test_settings_may_come_through_a_pipe_and_never_without_an_end(
    tmp_path: Path,
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f'echo "regoin = 1" > "{pipe}"']):
        found = relay_command("check", "-c", str(pipe))
    assert found.stderr == (
        f"{pipe}: regoin: unknown setting in ses-relay {__version__}; remove it, "
        "or install the version that has it\n"
    )
    endless = relay_command("check", "-c", "/dev/zero")
    assert (endless.returncode, endless.stderr) == (
        2,
        "/dev/zero: is larger than 16,000,000 bytes\n",
    )


def test_a_misspelt_command_is_guessed() -> None:
    for words, guess in (("serv", "serve"), ("chekc", "check"), ("queue lst", "list")):
        found = relay_command(*words.split())
        assert found.returncode == 2
        assert found.stderr.endswith(f"; did you mean {guess}?\n")


def test_no_settings_at_all_name_the_capture_mode(tmp_path: Path) -> None:
    found = relay_command("serve", settings={}, cwd=tmp_path)
    assert found.returncode == 2
    assert "relay serve --capture" in found.stderr


def test_no_region_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('transport = "ses"\n')
    nowhere = {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    found = relay_command("serve", settings=nowhere, cwd=tmp_path)
    assert found.returncode == 2
    assert "ses.region" in found.stderr
    assert "Traceback" not in found.stderr


def test_trap_13_ready_asks_the_health_listener(tmp_path: Path) -> None:
    with running_relay(settings={"RELAY_HEALTH__LISTEN": "127.0.0.1:0"}) as relay:
        url = f"http://127.0.0.1:{relay.port('health')}/readyz"
        assert relay_command("ready", "--url", url).returncode == 0
        assert relay_command("ready", "--url", url.replace("readyz", "livez")).stdout
    stopped = relay_command("ready", "--url", url)
    assert (stopped.returncode, "Traceback" in stopped.stderr) == (1, False)
    nowhere = {"RELAY_WEB__LISTEN": ""}
    unset = relay_command("ready", settings=nowhere, cwd=tmp_path)
    assert unset.returncode == 2
    assert "health.listen" in unset.stderr


def test_systemd_is_told_when_the_relay_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(os.fspath(path))
        one.settimeout(WAIT)
        with running_relay(settings={"NOTIFY_SOCKET": os.fspath(path)}) as relay:
            assert one.recv(100) == b"READY=1"
            assert _greeted(relay.port())
            relay.stop()
            assert one.recv(100) == b"STOPPING=1"


def test_trap_9_no_code_reaches_a_log_line_or_a_reply() -> None:
    secret = "739157"
    settings = {"RELAY_LOG__LEVEL": "debug"}
    with running_relay(settings=settings) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port()) as smtp:
            replies = []
            for variables in (
                f'{{"code": "{secret}"}}',
                f'{{"code": "{secret}"',
                f'{{"other": "{secret}"}}',
                f'{{"code": ["{secret}"]}}',
            ):
                smtp.ehlo()
                smtp.mail("a@b.example")
                smtp.rcpt("c@d.example")
                head = f"X-Relay-Usage: SignIn\r\nX-Relay-Variables: {variables}\r\n"
                replies.append(smtp.data(head.encode() + MAIL))
        assert relay.stop() == 0
        assert [code for code, _ in replies] == [250, 550, 550, 550]
        assert secret not in "".join(relay.stderr) + repr(replies)
        assert len(relay.stderr) > 5


def test_a_stop_in_the_middle_of_the_imports_is_a_clean_end() -> None:
    # The threads that import are in C when the interpreter would be taken apart.
    codes = []
    for _ in range(8):
        settings = {
            "RELAY_SES__REGION": "eu-west-1",
            "RELAY_SES__ENDPOINT_URL": "http://127.0.0.1:1",
            "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
            "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
            "RELAY_QUEUE__ENGINE": "none",
        }
        with running_relay(
            "-c", os.devnull, settings=settings, up_to="listening"
        ) as relay:
            with socket.create_connection(("127.0.0.1", relay.port())) as client:
                assert client.recv(99).startswith(b"220 ")
            codes.append(relay.stop())
    assert codes == [0] * 8


def test_a_captured_mail_does_not_steer_the_terminal() -> None:
    hostile = "\x1b]0;x\x07 \x9b2J \u202eb\u2066 \x7f"
    with running_relay() as relay:
        with smtplib.SMTP("127.0.0.1", relay.port()) as client:
            client.sendmail(
                "a@b.example",
                ["c@d.example"],
                f"From: a@b.example\r\nSubject: {hostile}\r\n"
                f"X-Relay-Usage: Generic\r\nX-Relay-Variable-code: {hostile}\r\n\r\n"
                f"\thello {hostile}\r\n".encode(),
            )
            text = b"Subject: x\r\n\r\n\t\x1b]0;x\x07 \x7f\r\n"  # as it is: 7-bit
            client.sendmail("a@b.example", ["c@d.example"], text)
        templated, passed = relay.next_captured(), relay.next_captured()
        shown = f"{templated}{passed}" + (templated.content + passed.content).decode()
        assert all(c.isprintable() or c in "\t\r\n" for c in shown)
        assert "\\u001b]0;x" in shown
