"""The unit in `deploy/`, installed as its page says and run by systemd itself."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import smtplib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import PurePosixPath

import pytest

from tests.fake_ses import FakeSes
from tests.server.relay_process import ROOT
from tests.server.reloading import CODE, ses, toml
from tests.systemd.machine import Machine, booted, machine_directory

UNIT = "ses-relay.service"
SOCKET = "ses-relay.socket"
SETTINGS = "/etc/ses-relay/config.toml"
TEMPLATE = "/etc/ses-relay/templates/SignIn.html"
DIRECTORY = machine_directory()
PAGE = (ROOT / "docs" / "one-per-host.md").read_text("utf-8")


def test_the_page_installs_the_unit_as_these_tests_do() -> None:
    assert all(f"\n{line}\n" in PAGE for line in INSTALLED)


INSTALLED = (
    "useradd --system --no-create-home --shell /usr/sbin/nologin ses-relay",
    "install -d -m 755 /etc/ses-relay",
    "install -m 600 -o ses-relay config.toml /etc/ses-relay/config.toml",
    "install -m 644 deploy/ses-relay.service /etc/systemd/system/",
)


DOCS = (ROOT / "docs" / "systemd.md").read_text("utf-8")


def block(title: str, kind: str = "ini") -> str:
    """What stands in docs/systemd.md below a title: a drop-in, or commands."""
    _, _, rest = DOCS.partition(f"\n## {title}\n")
    return rest.partition(f"```{kind}\n")[2].partition("```")[0]


@contextmanager
def dropped_in(machine: Machine, text: str) -> Iterator[None]:
    """Have the unit run with a drop-in."""
    file = f"/run/systemd/system/{UNIT}.d/more.conf"
    machine.say("mkdir", "-p", str(PurePosixPath(file).parent))
    machine.write(file, text)
    machine.say("systemctl", "daemon-reload")
    try:
        yield
    finally:
        machine.say("systemctl", "stop", UNIT)
        machine.say("rm", file)
        machine.say("systemctl", "daemon-reload")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if DIRECTORY is None:
        pytest.skip("`make test-systemd` boots the systemd that this needs")
    log = tmp_path_factory.mktemp("machine") / "console"
    with booted(DIRECTORY, log) as made:
        unit = (ROOT / "deploy" / UNIT).read_text("utf-8")
        made.say("mkdir", "-p", "/root/deploy")
        made.write(f"/root/deploy/{UNIT}", unit)
        made.write("/root/config.toml", "")
        made.say("sh", "-ec", "cd /root\n" + "\n".join(INSTALLED))
        made.say("mkdir", "-p", "/etc/ses-relay/templates")
        made.say("systemctl", "daemon-reload")
        yield made


def settings(fake: FakeSes, **more: object) -> str:
    queue = {"path": "/var/lib/ses-relay/relay-spool.db", "answerWithin": 10}
    given = {
        "templatesDir": "templates",
        "reload": "signal",
        "ses": ses(fake),
        "queue": queue,
        "web": {"listen": ""},
        "listeners": [{"name": "local", "address": "127.0.0.1:1025"}],
        **more,
    }
    return "".join(f"{name} = {toml(value)}\n" for name, value in given.items())


def install(machine: Machine, text: str, subject: str) -> None:
    machine.write(SETTINGS, text, mode="600")
    machine.say("chown", "ses-relay", SETTINGS)
    template(machine, subject)


def template(machine: Machine, subject: str) -> None:
    made = f"+++\nsubject = {json.dumps(subject)}\n+++\n<p>{{{{ code }}}}</p>\n"
    machine.write(TEMPLATE, made)


def submit(port: int = 1025) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo()
        client.mail("app@acme.example")
        client.rcpt("ann@example.com")
        code, text = client.data(CODE)
        return f"{code} {text.decode()}"


def subjects(fake: FakeSes) -> list[str]:
    return [
        message_from_bytes(request.mail, policy=default)["Subject"]
        for request in fake.sent
    ]


def shown(machine: Machine, name: str) -> str:
    return machine.say("systemctl", "show", "--value", "--property", name, UNIT)


async def test_a_mail_goes_out_and_a_reload_changes_its_template(
    machine: Machine,
) -> None:
    async with FakeSes() as fake:
        await asyncio.to_thread(_used, machine, settings(fake))
        assert subjects(fake) == ["one 123456", "two 123456", "two 123456"]


def _used(machine: Machine, text: str) -> None:
    install(machine, text, "one {{ code }}")
    machine.say("systemctl", "start", UNIT)
    main = shown(machine, "MainPID")
    assert submit().startswith("250 2.0.0 Ok")

    template(machine, "two {{ code }}")
    machine.say("systemctl", "reload", UNIT)
    # It has waited: the next mail, and what systemd shows, are by the new set.
    assert submit().startswith("250 2.0.0 Ok")
    status = shown(machine, "StatusText")
    assert re.fullmatch("Settings [0-9a-f]{8} are in force.", status)

    template(machine, "three {{ code")
    refused = machine.run("systemctl", "reload", UNIT)
    assert refused.returncode == 1
    assert "Job for ses-relay.service failed" in refused.stderr
    said = machine.journal(UNIT)
    assert f"{TEMPLATE}:2: subject: {{{{ is not closed" in said
    assert submit().startswith("250 2.0.0 Ok")

    # The spool is found by a command of root's, outside of the unit.
    found = machine.run("/opt/ses-relay/bin/relay", "queue", "list", "-c", SETTINGS)
    assert (found.returncode, found.stderr) == (0, "no mail\n")
    assert (shown(machine, "ActiveState"), shown(machine, "MainPID")) == (
        "active",
        main,
    )
    template(machine, "two {{ code }}")
    machine.say("systemctl", "stop", UNIT)
    assert shown(machine, "Result") == "success"
    assert shown(machine, "ExecMainStatus") == "0"


async def test_a_reload_waits_for_a_set_that_takes_long_to_read(
    machine: Machine,
) -> None:
    async with FakeSes() as fake:
        text = settings(fake)
        many = await asyncio.to_thread(_many, machine, text)
    assert many == 5


def _many(machine: Machine, text: str) -> int:
    install(machine, text, "one {{ code }}")
    machine.say("systemctl", "start", UNIT)
    made = 0
    for number in range(5):
        usages = "".join(
            f"[[templates]]\nusageType = 'T{usage}'\nsubject = 'no {number}'\n"
            f"syntax = 'jinja'\ncontent = '{'{{ code }} ' * 200}'\n"
            for usage in range(60)
        )
        machine.write(SETTINGS, f"{text}\n{usages}", mode="600")
        machine.say("chown", "ses-relay", SETTINGS)
        before = shown(machine, "StatusText")
        machine.say("systemctl", "reload", UNIT)
        made += shown(machine, "StatusText") != before
    machine.say("systemctl", "stop", UNIT)
    return made


async def test_the_journal_knows_what_is_an_error(machine: Machine) -> None:
    async with FakeSes() as fake:
        await asyncio.to_thread(_mistaken, machine, settings(fake))


def _mistaken(machine: Machine, text: str) -> None:
    install(machine, text, "one {{ code }}")
    machine.say("systemctl", "start", UNIT)
    template(machine, "two {{ code")
    machine.say("systemctl", "kill", "--signal", "HUP", "--kill-who", "main", UNIT)
    bad = "The settings have a mistake; the last good ones hold."
    shows = ("systemctl", "show", "--value", "--property", "StatusText", UNIT)
    machine.until(*shows, says=bad)
    errors = machine.journal(UNIT, "--priority", "err").splitlines()
    events = [json.loads(line)["event"] for line in errors if line.startswith("{")]
    assert events == ["not reloaded"]
    template(machine, "one {{ code }}")
    machine.say("systemctl", "stop", UNIT)


async def test_a_secret_is_a_credential_and_a_listener_is_on_port_587(
    machine: Machine,
) -> None:
    async with FakeSes() as fake:
        given = ses(fake)
        key = str(given.pop("accessKeyId"))
        secret = str(given.pop("accessKeySecret"))
        names = re.findall(r'^access\w+ = ".*"$', DOCS, re.MULTILINE)[:2]
        files = dict(re.findall(r'(\w+) = "(.*)"', "\n".join(names)))
        assert set(files) == {"accessKeyIdFile", "accessKeySecretFile"}
        text = settings(
            fake,
            ses={**given, **files},
            listeners=[{"name": "submission", "address": "127.0.0.1:587"}],
        )
        more = block("Secrets as credentials").replace("AKIAIOSFODNN7EXAMPLE", key)
        more += block("A port below 1024")
        await asyncio.to_thread(_with_credentials, machine, text, more, secret)
        assert subjects(fake) == ["one 123456", "two 123456"]


def _with_credentials(machine: Machine, text: str, more: str, secret: str) -> None:
    install(machine, text, "one {{ code }}")
    # Which root alone may read.
    machine.write("/etc/ses-relay/ses-secret", f"{secret}\n", mode="600")
    with dropped_in(machine, more):
        machine.say("systemctl", "start", UNIT)
        assert submit(587).startswith("250 2.0.0 Ok")
        before = shown(machine, "StatusText")
        template(machine, "two {{ code }}")
        machine.say("systemctl", "reload", UNIT)
        assert shown(machine, "StatusText") not in ("", before)
        assert submit(587).startswith("250 2.0.0 Ok")


async def test_settings_that_root_alone_may_read_come_as_a_credential(
    machine: Machine,
) -> None:
    async with FakeSes() as fake:
        given = ses(fake, accessKeySecretFile="ses-secret")
        secret = str(given.pop("accessKeySecret"))
        text = settings(fake, ses=given, templatesDir="/etc/ses-relay/templates")
        await asyncio.to_thread(_roots_alone, machine, text, secret)
        assert subjects(fake) == ["one 123456"]


def _roots_alone(machine: Machine, text: str, secret: str) -> None:
    template(machine, "one {{ code }}")
    machine.write(SETTINGS, text, mode="600")
    machine.say("chown", "root", SETTINGS)
    machine.write("/root/ses-secret", f"{secret}\n", mode="600")
    made = block("Secrets as credentials", "sh")
    machine.say("sh", "-ec", f"cd /root\n{made}rm ses-secret")
    # Beside the settings for who reads them there, and not what the unit is given.
    machine.write("/etc/ses-relay/ses-secret", "another\n", mode="600")
    more = block("The settings as a credential")
    more += re.findall("LoadCredentialEncrypted=[^`]+", DOCS)[0] + "\n"
    with dropped_in(machine, more):
        machine.say("systemctl", "start", UNIT)
        assert submit().startswith("250 2.0.0 Ok")
        for command in (("queue", "list"), ("check",)):
            words = ("/opt/ses-relay/bin/relay", *command, "-c", SETTINGS)
            assert machine.run(*words).returncode == 0
        # A control: nobody else reads it.
        assert (
            machine.run(
                *("setpriv", "--reuid", "ses-relay", "--clear-groups"), "cat", SETTINGS
            ).returncode
            == 1
        )


def test_the_manual_that_the_unit_names_is_installed(machine: Machine) -> None:
    machine.say("sh", "-ec", block("What it says", "sh"))
    assert shown(machine, "Documentation") == '"man:relay(1)" "man:relay.toml(5)"'
    for page in ("man1/relay.1", "man5/relay.toml.5"):
        assert ".TH" in machine.say("cat", f"/usr/local/share/man/{page}")


class Client(threading.Thread):
    """Sends mails one after another until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: Counter[str] = Counter()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.replies[submit()[:3]] += 1
            except smtplib.SMTPConnectError as error:  # 421: the relay stops
                self.replies[str(error.smtp_code)] += 1
            except smtplib.SMTPServerDisconnected:
                self.replies["closed"] += 1
            except ConnectionError as error:
                self.replies[type(error).__name__] += 1

    def end(self) -> None:
        self._over.set()
        self.join()


async def test_no_client_is_refused_while_the_relay_is_restarted(
    machine: Machine,
) -> None:
    async with FakeSes() as fake:
        given = await asyncio.to_thread(_restarted, machine, settings(fake))
        assert given["250"] == len(fake.sent) > 0
    # A client may have been greeted, or be about to be, when the stop came.
    assert set(given) <= {"250", "421", "closed"}


def _restarted(machine: Machine, text: str) -> Counter[str]:
    install(machine, text, "one {{ code }}")
    machine.write(f"/root/deploy/{SOCKET}", (ROOT / "deploy" / SOCKET).read_text())
    machine.say("sh", "-ec", f"cd /root\n{block(HOLDS, 'sh')}")
    clients = [Client() for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(3):
            main = shown(machine, "MainPID")
            machine.say("systemctl", "restart", UNIT)
            assert shown(machine, "MainPID") != main
        # Whoever waits while nothing runs starts it.
        machine.say("systemctl", "stop", UNIT)
        machine.until("systemctl", "is-active", UNIT, says="active")
    finally:
        for client in clients:
            client.end()
    replies = sum((client.replies for client in clients), Counter[str]())
    machine.say("systemctl", "stop", SOCKET, UNIT)
    return replies


HOLDS = "A restart that refuses no client"


async def test_two_listeners_have_a_socket_unit_each(machine: Machine) -> None:
    async with FakeSes() as fake:
        listeners = [
            {"name": "local", "address": "127.0.0.1:1025"},
            {"name": "submission", "address": "[::]:587"},
        ]
        text = settings(fake, listeners=listeners)
        await asyncio.to_thread(_two_sockets, machine, text)
        assert subjects(fake) == ["one 123456"] * 3


def _two_sockets(machine: Machine, text: str) -> None:
    install(machine, text, "one {{ code }}")
    second = "ses-relay-submission.socket"
    unit = (ROOT / "deploy" / SOCKET).read_text("utf-8")
    machine.write(f"/run/systemd/system/{SOCKET}", unit)
    unit = unit.replace("=local\n", f"=submission\nService={UNIT}\n")
    unit = unit.replace("=127.0.0.1:1025\n", "=587\n")
    machine.write(f"/run/systemd/system/{second}", unit)
    with dropped_in(machine, f"[Service]\nSockets={SOCKET} {second}\n"):
        machine.say("systemctl", "start", SOCKET, second)
        try:
            machine.say("systemctl", "start", UNIT)
            # A port below 1024 without a capability, and IPv4 where IPv6 listens.
            assert [submit(port)[:3] for port in (1025, 587, 587)] == ["250"] * 3
        finally:
            machine.say("systemctl", "stop", SOCKET, second, UNIT)
    machine.say("rm", f"/run/systemd/system/{second}")


async def test_a_socket_that_is_no_listeners_ends_the_start_with_its_name(
    machine: Machine,
) -> None:
    async with FakeSes() as fake:
        other = [{"name": "apps", "address": "127.0.0.1:1025"}]
        text = settings(fake, listeners=other)
        await asyncio.to_thread(_another_name, machine, text)


def _another_name(machine: Machine, text: str) -> None:
    install(machine, text, "one {{ code }}")
    machine.say("systemctl", "start", SOCKET)
    assert machine.run("systemctl", "start", UNIT).returncode == 1
    assert shown(machine, "ExecMainStatus") == "2"
    said = machine.journal(UNIT)
    assert 'systemd hands over "local", which listens on 127.0.0.1:1025' in said
    # Somebody who waits does not have it started for ever.
    with socket.create_connection(("127.0.0.1", 1025), 60):
        shows = ("systemctl", "show", "--value", "--property", "Result", SOCKET)
        machine.until(*shows, says="trigger-limit-hit")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 1025), 60)
    machine.say("systemctl", "reset-failed", SOCKET, UNIT)


async def test_a_relay_that_hangs_is_started_again(machine: Machine) -> None:
    async with FakeSes() as fake:
        text = settings(fake)
        await asyncio.to_thread(_hung, machine, text)


def _hung(machine: Machine, text: str) -> None:
    install(machine, text, "one {{ code }}")
    machine.say("mkdir", "-p", f"/run/systemd/system/{UNIT}.d")
    drop_in = f"/run/systemd/system/{UNIT}.d/soon.conf"
    machine.write(drop_in, "[Service]\nWatchdogSec=4\n")
    machine.say("systemctl", "daemon-reload")
    machine.say("systemctl", "start", UNIT)
    main = shown(machine, "MainPID")
    machine.say("sleep", "9")  # twice as long as it may say nothing
    assert shown(machine, "MainPID") == main
    machine.say("sh", "-c", f"kill -{signal.SIGSTOP.value} {main}")
    machine.until(
        "systemctl", "show", "--value", "--property", "NRestarts", UNIT, says="1"
    )
    machine.until("systemctl", "is-active", UNIT, says="active")
    assert submit().startswith("250 2.0.0 Ok")
    assert "Watchdog timeout" in machine.journal(UNIT)
    machine.say("systemctl", "stop", UNIT)
    machine.say("rm", drop_in)
    machine.say("systemctl", "daemon-reload")
