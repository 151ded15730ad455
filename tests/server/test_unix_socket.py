"""A listener on a unix socket: its file says who comes in, and is gone at the end."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.cli import connection
from tests.server.relay_process import ROOT, RelayProcess, environment, running_relay
from tests.server.tools import need

MAIL = "From: app@acme.example\nTo: ann@example.net\n\nhello\n"


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a socket can be, for other users as well."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory, "smtp.sock")


def settings(path: Path, **more: object) -> dict[str, str]:
    listener = {"name": "local", "address": f"unix:{path}", **more}
    return {"RELAY_LISTENERS": json.dumps([listener])}


def client(path: Path) -> smtplib.SMTP:
    at = connection.place(f"unix:{path}")
    return connection.connected(at, tls="off", timeout=60, trust=None)


def started(path: Path) -> subprocess.CompletedProcess[str]:
    """A relay that is not expected to start, until it has said why."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "relay", "serve", "--capture"],
        cwd=ROOT,
        env=environment(
            {
                **settings(path),
                "RELAY_WEB__LISTEN": "",
                "RELAY_QUEUE__ENGINE": "none",
            }
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(*words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "relay", *words],
        cwd=ROOT,
        env=environment({}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def next_peer(relay: RelayProcess) -> tuple[str, list[str]]:
    shown = relay.next_captured()
    entry = relay.event("captured", lambda one: one["id"] == shown.id)
    return entry["peer"], shown.recipients


def test_clients_and_commands_submit_mail_through_the_file(path: Path) -> None:
    # A network of `allow` is for addresses: nobody is kept out by its default.
    with running_relay(settings=settings(path)) as relay:
        listening = relay.event("listening")
        assert listening["address"] == f"unix:{path}"
        assert stat.S_IMODE(path.lstat().st_mode) == 0o660
        server = ["--server", f"unix:{path}"]

        with client(path) as smtp:
            smtp.sendmail("app@acme.example", ["ann@example.net"], MAIL)
        assert next_peer(relay) == ("unix", ["ann@example.net"])

        swaks = [need("swaks"), "--socket", str(path), "--to", "bob@example.net"]
        subprocess.run(
            [*swaks, "--from", "app@acme.example"],
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert next_peer(relay) == ("unix", ["bob@example.net"])

        said = run("send", "--to", "cy@example.net", *server)
        assert said.startswith("250 2.0.0 captured as ")
        assert next_peer(relay) == ("unix", ["cy@example.net"])

        run("sendmail", "-t", *server, stdin=MAIL)
        assert next_peer(relay) == ("unix", ["ann@example.net"])

        file = path.with_name("relay.toml")
        file.write_text(f'[[listeners]]\naddress = "unix:{path}"\n')
        run("sendmail", "-t", "-C", str(file), stdin=MAIL)
        assert next_peer(relay) == ("unix", ["ann@example.net"])
    assert not path.exists()


def test_its_clients_count_as_one(path: Path) -> None:
    limits = {"RELAY_LIMITS__CONNECTIONS_PER_CLIENT": "2"}
    with running_relay(settings={**settings(path), **limits}) as relay:
        with client(path), client(path):
            with pytest.raises(smtplib.SMTPConnectError) as refused:
                client(path)
            assert refused.value.smtp_code == 421
            line = relay.event("client refused")
            assert (line["peer"], line["reply"][:9]) == ("unix", "421 4.7.0")
        client(path).quit()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_it_speaks_tls_as_any_listener(path: Path, tls: str) -> None:
    chosen = {**settings(path, tls=tls), "RELAY_TLS__SELF_SIGNED": "true"}
    trust = ssl.create_default_context()
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    at = connection.place(f"unix:{path}")
    with (
        running_relay(settings=chosen) as relay,
        connection.connected(at, tls=tls, timeout=60, trust=trust) as smtp,
    ):
        assert isinstance(smtp.sock, ssl.SSLSocket)
        smtp.sendmail("app@acme.example", ["ann@example.net"], MAIL)
        assert next_peer(relay) == ("unix", ["ann@example.net"])


@pytest.mark.parametrize(("mode", "comes_in"), [("0660", False), ("0666", True)])
def test_its_mode_says_who_comes_in(path: Path, mode: str, comes_in: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("root alone can be another user")
    talk = (
        "import socket, sys\n"
        "with socket.socket(socket.AF_UNIX) as sock:\n"
        "    sock.connect(sys.argv[1])\n"
        "    print(sock.recv(3).decode())\n"
    )
    with running_relay(settings=settings(path, socketMode=mode)):
        done = subprocess.run(
            ["/usr/bin/env", "python3", "-c", talk, str(path)],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout == "220\n") == comes_in
    assert ("PermissionError" in done.stderr) != comes_in


def test_the_file_of_a_relay_that_was_killed_is_replaced(path: Path) -> None:
    with running_relay(settings=settings(path)) as relay:
        relay.stop(signal.SIGKILL)
        assert path.is_socket()
        with running_relay(settings=settings(path)), client(path) as smtp:
            assert smtp.noop()[0] == 250
    assert not path.exists()


def test_a_relay_that_listens_there_is_not_put_aside(path: Path) -> None:
    with running_relay(settings=settings(path)) as relay:
        done = started(path)
        assert done.returncode == 4
        by = f"by process {relay.process.pid}; stop that, or choose another path"
        said = f"listener local: unix:{path}: Address already in use, {by}\n"
        assert done.stderr.endswith(said)
        client(path).quit()


def test_what_a_later_relay_put_there_stays(path: Path) -> None:
    with running_relay(settings=settings(path)):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as later:
            later.bind(str(path))
            later.listen()
    assert path.is_socket()


def test_what_is_in_the_way_is_named_and_stays(path: Path) -> None:
    path.write_text("a letter")
    done = started(path)
    assert done.returncode == 2
    assert f"unix:{path}: is there already, and no socket; remove it" in done.stderr
    assert path.read_text() == "a letter"

    done = started(path.parent / "none" / "smtp.sock")
    assert done.returncode == 2
    assert f"there is no directory {path.parent / 'none'}; make it" in done.stderr
