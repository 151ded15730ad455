"""TLS of the real process: certificates, versions, deadlines, and clients."""

from __future__ import annotations

import hashlib
import json
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import certificates
from tests.server.relay_process import ROOT, RelayProcess, environment, running_relay
from tests.server.test_life import Client, relay_command
from tests.server.test_logins import USERS
from tests.server.tools import need

HOST = "127.0.0.1"


def listener(tls: str, **more: object) -> str:
    return json.dumps([{"name": "local", "address": "127.0.0.1:0", "tls": tls, **more}])


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def served(relay: RelayProcess) -> bytes:
    """The certificate that a new handshake gets, in DER."""
    with (
        socket.create_connection((HOST, relay.port()), timeout=60) as plain,
        unverified().wrap_socket(plain) as one,
    ):
        found = one.getpeercert(binary_form=True)
        assert found is not None
        return found


def in_file(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))


@pytest.fixture
def relay_and_files(tmp_path: Path) -> Iterator[tuple[RelayProcess, Path, Path]]:
    """A relay with TLS from the first byte, and the files of its certificate."""
    cert, key = certificates.make(tmp_path)
    settings = {
        "RELAY_LISTENERS": listener("implicit"),
        "RELAY_TLS__CERT_FILE": str(cert),
        "RELAY_TLS__KEY_FILE": str(key),
    }
    with running_relay(settings=settings) as relay:
        yield relay, cert, key


def test_a_renewed_certificate_is_used_without_a_restart(
    relay_and_files: tuple[RelayProcess, Path, Path],
) -> None:
    relay, cert, _ = relay_and_files
    assert served(relay) == in_file(cert)
    before = in_file(cert)
    certificates.make(cert.parent)
    assert served(relay) == in_file(cert) != before
    assert relay.event("certificate read again")["file"] == str(cert)


def test_a_broken_new_certificate_keeps_the_old_one_and_is_logged_once(
    relay_and_files: tuple[RelayProcess, Path, Path],
) -> None:
    relay, cert, key = relay_and_files
    before = in_file(cert)
    good = cert.read_bytes()
    cert.write_text("not a certificate")
    assert served(relay) == before
    assert served(relay) == before
    entry = relay.event("certificate not usable")
    assert entry["level"] == "error"
    assert f'tls.certFile = "{cert}": holds no certificate' in entry["reason"]
    key.unlink()
    cert.write_bytes(good)
    assert served(relay) == before
    certificates.make(cert.parent)
    assert served(relay) == in_file(cert) != before
    relay.stop()
    events = [entry["event"] for entry in relay.log]
    assert events.count("certificate not usable") == 2


def test_a_certificate_whose_key_comes_a_moment_later_is_used_then(
    relay_and_files: tuple[RelayProcess, Path, Path], tmp_path: Path
) -> None:
    relay, cert, key = relay_and_files
    before = in_file(cert)
    (tmp_path / "next").mkdir()
    new_cert, new_key = certificates.make(tmp_path / "next")
    new_cert.rename(cert)
    assert served(relay) == before
    new_key.rename(key)
    assert served(relay) == in_file(cert) != before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("no cert", 'tls.certFile = "{cert}": No such file or directory; must be a'),
        ("no key", 'tls.keyFile = "{key}": No such file or directory; must be a'),
        ("not a cert", 'tls.certFile = "{cert}": holds no certificate in PEM form'),
        ("not a key", 'tls.keyFile = "{key}": holds no private key in PEM form'),
        ("broken cert", 'tls.certFile = "{cert}" with tls.keyFile = "{key}": cannot'),
        ("other key", 'tls.keyFile = "{key}": is not the key of tls.certFile "{cert}"'),
        ("passphrase", 'tls.keyFile = "{key}": is encrypted; the relay needs it with'),
    ],
)
def test_an_unusable_certificate_stops_the_start_and_says_what_to_do(
    tmp_path: Path, spoil: str, said: str
) -> None:
    cert, key = certificates.make(tmp_path)
    match spoil:
        case "no cert":
            cert.unlink()
        case "no key":
            key.unlink()
        case "not a cert":
            cert.write_text("hello")
        case "not a key":
            key.write_text("hello")
        case "broken cert":
            text = cert.read_text().replace("\nMI", "\nXX", 1)
            cert.write_text(text)
        case "other key":
            _, other = certificates.make(tmp_path, "other")
            other.rename(key)
        case "passphrase":
            certificates.make(tmp_path, passphrase=b"hush")
    file = tmp_path / "config.toml"
    file.write_text(
        'transport = "capture"\n'
        f'[tls]\ncertFile = "{cert.name}"\nkeyFile = "{key.name}"\n'
        '[[listeners]]\naddress = "127.0.0.1:0"\ntls = "starttls"\n'
    )
    expected = f"{file}: {said.format(cert=cert, key=key)}"
    for command in ("serve", "check"):
        done = relay_command(command, "-c", str(file))
        assert done.returncode == 2
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("days", "line", "code"),
    [
        (-1, "problem: tls.certFile: ended on", 1),
        (5, "warning: tls.certFile: is good until", 0),
        (90, "ok: tls.certFile: is good until", 0),
    ],
)
def test_check_tells_when_the_certificate_ends(
    tmp_path: Path, days: int, line: str, code: int
) -> None:
    cert, key = certificates.make(tmp_path, days=days)
    settings = {
        "RELAY_TRANSPORT": "capture",
        "RELAY_LISTENERS": listener("starttls"),
        "RELAY_TLS__CERT_FILE": str(cert),
        "RELAY_TLS__KEY_FILE": str(key),
    }
    done = relay_command("check", settings=settings)
    assert (done.returncode, line in done.stdout) == (code, True), done.stdout


def test_a_self_signed_certificate_is_made_on_request_and_its_print_is_logged() -> None:
    settings = {
        "RELAY_LISTENERS": listener("implicit"),
        "RELAY_TLS__SELF_SIGNED": "true",
    }
    with running_relay(settings=settings) as relay:
        logged = relay.event("self-signed certificate")["sha256"]
        found = served(relay)
        assert hashlib.sha256(found).hexdigest() == logged
        # Its names are those that this machine goes by.
        context = ssl.create_default_context(cadata=found)
        for name in ("localhost", "127.0.0.1", socket.gethostname()):
            with (
                socket.create_connection((HOST, relay.port()), timeout=60) as plain,
                context.wrap_socket(plain, server_hostname=name) as one,
            ):
                assert one.recv(4) == b"220 "


def test_tls_before_1_2_is_refused() -> None:
    openssl = need("openssl")
    settings = {
        "RELAY_LISTENERS": listener("implicit"),
        "RELAY_TLS__SELF_SIGNED": "true",
    }
    with running_relay(settings=settings) as relay:

        def tried(version: str) -> int:
            # Without security levels the client itself would have no objection.
            command = [openssl, "s_client", "-connect", f"{HOST}:{relay.port()}"]
            done = subprocess.run(
                [*command, version, "-cipher", "ALL:@SECLEVEL=0"],
                input=b"QUIT\r\n",
                capture_output=True,
                timeout=60,
                check=False,
            )
            return done.returncode

        assert tried("-tls1_2") == 0
        assert tried("-tls1_1") != 0
        entry = relay.event("TLS broken")
        assert entry["reason"] == "unsupported protocol"


def test_a_handshake_that_does_not_go_on_is_ended() -> None:
    settings = {
        "RELAY_LISTENERS": listener("implicit"),
        "RELAY_TLS__SELF_SIGNED": "true",
        "RELAY_LIMITS__TIMEOUT": "0.5",
    }
    with running_relay(settings=settings) as relay:
        one = socket.create_connection((HOST, relay.port()), timeout=60)
        one.sendall(b"\x16\x03\x01")
        assert one.recv(10) == b""
        one.close()
        relay.event("client silent")


def test_idle_clients_hear_the_stop_under_tls_too() -> None:
    settings = {
        "RELAY_LISTENERS": listener("starttls"),
        "RELAY_TLS__SELF_SIGNED": "true",
    }
    with running_relay(settings=settings) as relay:
        plain = Client(relay.port())
        assert plain.reply().startswith("220 ")
        secure = smtplib.SMTP(HOST, relay.port(), timeout=60)
        secure.starttls(context=unverified())
        shaking = Client(relay.port())
        shaking.reply()
        shaking.say("EHLO t", "STARTTLS")
        shaking.reply()
        assert shaking.reply().startswith("220 2.0.0 ")
        assert relay.stop() == 0
        assert plain.reply().startswith("421 4.3.2 ")
        assert secure.getreply()[0] == 421
        # Nothing in clear may be said where TLS was promised.
        assert shaking.reply() == ""
        for one in (plain, secure, shaking):
            one.close()


def test_large_mail_comes_whole_through_tls() -> None:
    settings = {
        "RELAY_LISTENERS": listener("starttls", requireTls=True),
        "RELAY_TLS__SELF_SIGNED": "true",
    }
    body = "".join(f"line {number} of many\r\n" for number in range(100_000))
    with running_relay(settings=settings) as relay:
        with smtplib.SMTP(HOST, relay.port(), timeout=60) as client:
            client.starttls(context=unverified())
            mail = f"From: a@b.example\r\n\r\n{body}"
            client.sendmail("a@b.example", ["c@d.example"], mail)
        shown = relay.next_captured()
        assert shown.content.decode() == mail


def test_swaks_and_curl_submit_under_tls_with_a_password(tmp_path: Path) -> None:
    swaks, curl = need("swaks"), need("curl")
    cert, key = certificates.make(tmp_path, "localhost")
    both = [
        {"name": "local", "address": "127.0.0.1:0", "tls": "starttls"},
        {"name": "whole", "address": "127.0.0.1:0", "tls": "implicit"},
    ]
    both = [{**one, "auth": "required"} for one in both]
    settings = {
        "RELAY_LISTENERS": json.dumps(both),
        "RELAY_TLS__CERT_FILE": str(cert),
        "RELAY_TLS__KEY_FILE": str(key),
        "RELAY_USERS": USERS,
    }
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"From: a@b.example\r\n\r\nby curl\r\n")
    with running_relay(settings=settings) as relay:
        start, whole = relay.port("local"), relay.port("whole")
        way = ["--auth", "LOGIN", "--auth-user", "app", "--auth-password", "s3cret"]
        to = ["--to", "c@d.example", "--from", "app@acme.example"]
        for tls, port in (("-tls", start), ("-tlsc", whole)):
            run(swaks, "--server", f"{HOST}:{port}", tls, *way, *to)
            assert relay.next_captured().recipients == ["c@d.example"]
        run(
            curl,
            *("--silent", "--show-error", "--ssl-reqd", "--cacert", str(cert)),
            *("--url", f"smtp://localhost:{start}", "--ipv4", "--user", "app:s3cret"),
            *("--mail-from", "app@acme.example", "--mail-rcpt", "c@d.example"),
            *("--upload-file", str(mail)),
        )
        assert relay.next_captured().content == mail.read_bytes()


def run(*command: str) -> None:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
