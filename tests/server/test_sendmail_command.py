"""`relay sendmail`, started as PHP, cron and mail programs start /usr/sbin/sendmail."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from relay import password
from tests import certificates
from tests.server.relay_process import RelayProcess, Shown, environment, running_relay

SCRIPT = Path(sysconfig.get_path("scripts"), "relay")
MAIL = b"From: app@acme.example\nTo: ann@example.net\nSubject: Hello\n\nfirst\n"
HOST = socket.gethostname()
USER = pwd.getpwuid(os.getuid()).pw_name


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Sendmail:
    """The link that a machine has as /usr/sbin/sendmail, and its settings."""

    def __init__(self, directory: Path, port: int) -> None:
        self.link = directory / "sendmail"
        self.link.symlink_to(SCRIPT)
        self.settings = directory / "relay.toml"
        self.settings.write_text(
            f'[[listeners]]\naddress = "127.0.0.1:{port}"\n[log]\nformat = "json"\n'
        )

    def __call__(
        self, *words: str, mail: bytes = MAIL, config: Path | None = None
    ) -> Ended:
        named = {
            "RELAY_CONFIG": str(config or self.settings),
            "PYTHONWARNINGS": "error",
        }
        done = subprocess.run(
            [str(self.link), *words],
            input=mail,
            env=environment(named),
            cwd=self.link.parent,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


LIMITS = {"RELAY_LIMITS__MESSAGE_SIZE": "20000", "RELAY_LIMITS__RECIPIENTS": "3"}


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    with running_relay(settings=LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def sendmail(relay: RelayProcess, tmp_path_factory: pytest.TempPathFactory) -> Sendmail:
    return Sendmail(tmp_path_factory.mktemp("sbin"), relay.port())


def sent(relay: RelayProcess, sendmail: Sendmail, *words: str, mail: bytes) -> Shown:
    """What the relay has of a mail that it took, and nothing else."""
    assert sendmail(*words, mail=mail) == (0, "", "")
    shown = relay.next_captured()
    assert relay.captured_so_far() == []
    return shown


def sender_of(relay: RelayProcess, shown: Shown) -> str:
    entry = relay.event("captured", lambda one: one["id"] == shown.id)
    return str(entry["sender"])


def test_as_php_calls_it(relay: RelayProcess, sendmail: Sendmail) -> None:
    # mail() with the php.ini of docs/local-mtas.md; PHP 8 ends its lines with CRLF.
    mail = (
        b"To: Ann <ann@example.net>,\n bob@example.net\n"
        b"Subject: =?UTF-8?Q?Z=C3=BC?=\r\n"
        b'Bcc: "Cy, of us" <cy@example.net>\r\nFrom: app@acme.example\r\n\r\n'
        b"a body\n.\n..two\nover\n"
    )

    shown = sent(relay, sendmail, "-t", "-i", mail=mail)

    assert shown.recipients == ["ann@example.net", "bob@example.net", "cy@example.net"]
    assert shown.content == (
        b"To: Ann <ann@example.net>,\r\n bob@example.net\r\n"
        b"Subject: =?UTF-8?Q?Z=C3=BC?=\r\nFrom: app@acme.example\r\n\r\n"
        b"a body\r\n.\r\n..two\r\nover\r\n"
    )
    assert sender_of(relay, shown) == "app@acme.example"


def test_as_cron_calls_it(relay: RelayProcess, sendmail: Sendmail) -> None:
    # Debian's cron, for a crontab with MAILTO=ops@acme.example.
    words = ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "ops@acme.example"]
    mail = "From: root (Cron Daemon)\nTo: ops@acme.example\n\nZoë\n".encode()

    shown = sent(relay, sendmail, *words, mail=mail)

    assert shown.recipients == ["ops@acme.example"]
    assert shown.content.startswith(b"From: root (Cron Daemon)\r\n")
    assert "Zoë" in shown.content.decode() or b"Zo=C3=AB" in shown.content


def test_as_cronie_calls_it_for_a_user_of_this_machine(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    words = ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"]
    mail = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron\n\ndone\n"

    code, _, said = sendmail(*words, mail=mail)
    assert (code, said.startswith("relay sendmail: root: 55")) == (67, True)

    shown = sent(relay, sendmail, *words, "--local-to", "ops@acme.example", mail=mail)
    assert shown.recipients == ["ops@acme.example"]
    assert b"\r\nTo: root\r\n" in shown.content
    assert sender_of(relay, shown) == f"root@{HOST}"


def test_as_mail_programs_call_it(relay: RelayProcess, sendmail: Sendmail) -> None:
    # s-nail, bsd-mailx, mutt and git send-email, in this order.
    for words in (
        ["-i", "-v", "--", "ann@example.net"],
        ["-i", "ann@example.net"],
        ["-oem", "-oi", "-fapp@acme.example", "--", "ann@example.net"],
        ["-f", "app@acme.example", "-i", "ann@example.net"],
        ["-ti"],
        ["-h", "3", "-ee", "ann@example.net"],
        ["-ti", "-r", "App <app@acme.example>", "ann@example.net"],
        ["-bm", "ann@example.net", "-N", "failure,delay", "-Rhdrs", "-V", "a=1"],
    ):
        code, out, err = sendmail(*words)
        assert (code, err) == (0, "")
        assert (out[:22] == "250 2.0.0 captured as ") == ("-v" in words)
        shown = relay.next_captured()
        assert shown.recipients == ["ann@example.net"]
        assert shown.content == MAIL.replace(b"\n", b"\r\n")
        assert sender_of(relay, shown) == "app@acme.example"


def test_addresses_join_those_of_the_header(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    mail = b"From: a@acme.example\nTo: team: ann@example.net, bob@example.net;\n\nx\n"
    shown = sent(relay, sendmail, "-t", "cy@example.net", mail=mail)
    assert sorted(shown.recipients) == [
        *("ann@example.net", "bob@example.net", "cy@example.net")
    ]


def test_without_t_the_header_need_not_name_anybody(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    mail = b"From: app@acme.example\nTo: Ann Lee\n\nx\n"
    shown = sent(relay, sendmail, "ann@example.net", mail=mail)
    assert shown.recipients == ["ann@example.net"]


def test_behind_two_dashes_all_are_addresses(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    words = ["-i", "--", "-C/etc/passwd@example.net", "-t@example.net"]
    shown = sent(relay, sendmail, *words, mail=MAIL)
    assert shown.recipients == ["-C/etc/passwd@example.net", "-t@example.net"]


def test_a_mail_that_is_sent_again_goes_to_whom_that_names(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    mail = b"Resent-To: bob@example.net\nResent-Bcc: cy@example.net\n" + MAIL
    shown = sent(relay, sendmail, "-t", mail=mail)
    assert shown.recipients == ["bob@example.net", "cy@example.net"]
    assert b"Bcc" not in shown.content


def test_a_lone_dot_ends_the_mail_unless_it_is_told_not_to(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    mail = MAIL + b".hidden\n.\nFrom here on nothing\n"
    for words, end in (
        ([], b".hidden\r\n"),
        (["-i"], b"From here on nothing\r\n"),
        (["-oi"], b"From here on nothing\r\n"),
    ):
        shown = sent(relay, sendmail, "-t", *words, mail=mail)
        assert shown.content.endswith(end)
        assert b"\r\n.hidden\r\n" in shown.content


def test_bcc_leaves_in_no_mail(relay: RelayProcess, sendmail: Sendmail) -> None:
    mail = b"Bcc: cy@example.net,\n dee@example.net\n" + MAIL
    shown = sent(relay, sendmail, "ann@example.net", mail=mail)
    assert shown.recipients == ["ann@example.net"]
    assert shown.content == MAIL.replace(b"\n", b"\r\n")


def test_a_mail_without_from_gets_one(relay: RelayProcess, sendmail: Sendmail) -> None:
    app, name = "app@acme.example", "Zoë, of the machines"
    named = f"From: =?utf-8?q?Zo=C3=AB=2C_of_the_machines?= <{app}>"
    me = f"{USER}@{HOST}"
    for words, mail, start, sender in (
        (["-f", app], b"hi\n", f"From: {app}\r\n\r\nhi\r\n", app),
        (["-F", name, "-f", app], b"Subject: x\n\nhi\n", f"{named}\r\nSubject: x", app),
        (["-fapp"], b"hi\n", f"From: app@{HOST}\r\n\r\nhi\r\n", f"app@{HOST}"),
        ([], b"hi\n", f"From: {me}\r\n\r\nhi\r\n", me),
        (["-f", "<>"], b"", f"From: {me}\r\n\r\n", "<>"),
        (["-f", ""], b"\nhi", f"From: {me}\r\n\r\nhi", "<>"),
    ):
        shown = sent(relay, sendmail, *words, "ann@example.net", mail=mail)
        assert shown.content.decode().lower().startswith(start.lower())
        assert sender_of(relay, shown) == sender


def test_a_domain_in_another_script_goes_with_smtputf8(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    shown = sent(relay, sendmail, "ann@exämple.net", mail=MAIL)
    assert shown.recipients == ["ann@xn--exmple-cua.net"]


def test_what_is_refused_has_the_reply_and_the_code_of_sysexits(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    no_domain = MAIL.replace(b"ann@example.net", b"Ann Lee")
    for words, mail, code, said in (
        (["--no-tempfail", "throttle@relay.test"], MAIL, 69, "the mail: 454 4.4.5 "),
        (["nobody"], MAIL, 67, "nobody: 553 5.1.3 "),
        (["reject@relay.test"], MAIL, 69, "the mail: 554 5.6.0 Message rejected"),
        (["throttle@relay.test"], MAIL, 75, "the mail: 454 4.4.5 Throttling failure"),
        (["ann@example.net"], MAIL + b"x" * 20_000, 69, "the mail: 552 5.3.4 "),
        ([f"{n}@x.example" for n in range(4)], MAIL, 75, "3@x.example: 452 4.5.3 "),
        (["-t"], b"", 65, "no recipients: the mail has none in To, Cc or Bcc\n"),
        (["-t"], no_domain, 65, "To: 'Ann Lee' is no address\n"),
        (["a\nb@x.example"], MAIL, 65, "'a\\nb@x.example' is no address\n"),
        ([], MAIL, 64, "no recipients: name them, or have -t read the mail's own\n"),
        (["-bs"], MAIL, 64, "-bs: SMTP on stdin; "),
        (["-bp"], MAIL, 64, "-bp: the queue; relay queue list shows it\n"),
        (["-q30m"], MAIL, 64, "-q: there is no queue here"),
        (["-N", "always", "a@x.example"], MAIL, 64, "-N: neither never nor "),
        (
            ["--server", "nowhere", "a@x.example"],
            MAIL,
            64,
            "--server nowhere: neither ",
        ),
        (["-Q"], MAIL, 64, "unrecognized arguments: -Q\n"),
    ):
        ended = sendmail(*words, mail=mail)
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.startswith(f"relay sendmail: {said}")
        assert ended.err.count("\n") == 1
    assert relay.captured_so_far() == []


def test_one_refused_recipient_keeps_no_mail_from_the_others(
    relay: RelayProcess, sendmail: Sendmail
) -> None:
    code, _, said = sendmail("nobody", "ann@example.net")
    assert (code, said.startswith("relay sendmail: nobody: 553 ")) == (67, True)
    assert relay.next_captured().recipients == ["ann@example.net"]


def test_without_a_relay_the_program_hears_that_nothing_was_sent(
    sendmail: Sendmail,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        server = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = sendmail("-t", "--server", server)
    said = (
        f"nothing was sent: {server}: Connection refused; is the relay running there?"
    )
    assert ended == (75, "", f"relay sendmail: {said}\n")


def test_a_reply_that_is_lost_is_no_success(sendmail: Sendmail) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        name = f"127.0.0.1:{port}"
        with subprocess.Popen(
            [str(sendmail.link), "-t", "--server", name],
            env=environment({}),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(MAIL)
            process.stdin.close()
            client, _ = server.accept()
            with client, client.makefile("rwb") as talk:
                talk.write(b"220 x\r\n")
                talk.flush()
                for reply in (b"250 x", b"250 x", b"250 x", b"354 x"):
                    talk.readline()
                    talk.write(reply + b"\r\n")
                    talk.flush()
                while talk.readline() != b".\r\n":
                    pass
            said = process.stderr.read()
            assert process.wait(60) == 75
    assert b"its reply was lost, so it may have been sent: " in said


def test_settings_that_cannot_be_used_are_named(
    sendmail: Sendmail, tmp_path: Path
) -> None:
    ended = sendmail("-t", config=tmp_path / "none.toml")
    assert ended.code == 78
    assert "none.toml" in ended.err
    assert "--server" in ended.err


def test_it_logs_in_and_speaks_tls_as_the_listener_of_the_settings_has_it(
    tmp_path: Path,
) -> None:
    certificate, key = certificates.make(tmp_path, "localhost")
    listener = {"address": "localhost:0", "tls": "starttls", "requireTls": True}
    settings = {
        "RELAY_LISTENERS": json.dumps([{**listener, "auth": "required"}]),
        "RELAY_TLS__CERT_FILE": str(certificate),
        "RELAY_TLS__KEY_FILE": str(key),
        "RELAY_USERS": json.dumps(
            [{"name": "app", "passwordHash": password.hashed("s3cret")}]
        ),
    }
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    with running_relay(settings=settings) as relay:
        sendmail = Sendmail(tmp_path, relay.port())
        words = ["-t", "--user", "app", "--password-file", str(secret)]
        way = ["--server", f"localhost:{relay.port()}", "--tls", "starttls"]
        trusted = [*words, *way, "--ca-file", str(certificate)]
        assert sendmail(*trusted) == (0, "", "")
        assert relay.next_captured().recipients == ["ann@example.net"]
        code, _, said = sendmail(*words, *way)
        assert (code, "--ca-file names a certificate to trust" in said) == (75, True)
        secret.write_text("wr0ng")
        code, _, said = sendmail(*trusted)
        assert code == 69
        assert said.startswith("relay sendmail: --user: 535 5.7.8 ")
        assert "wr0ng" not in said
        assert sendmail(*trusted[:-1], str(tmp_path / "none"))[0] == 64
