"""The unit in `deploy/`, installed as its page says and run by systemd itself."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import smtplib
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import PurePosixPath

import pytest

from tests.fake_ses import FakeSes
from tests.server.relay_process import ROOT
from tests.server.reloading import CODE, ses, toml
from tests.systemd.machine import Machine, booted, machine_directory

UNIT = "ses-relay.service"
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


def drop_in() -> str:
    """What the page puts beside the unit."""
    _, _, rest = PAGE.partition("# systemctl edit")
    return rest.partition("\n")[2].partition("```")[0]


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
        given = {key: each for key, each in ses(fake).items() if "Secret" not in key}
        file = f"/run/credentials/{UNIT}/ses-secret"
        text = settings(
            fake,
            ses={**given, "accessKeySecretFile": file},
            listeners=[{"name": "submission", "address": "127.0.0.1:587"}],
        )
        await asyncio.to_thread(_with_drop_in, machine, text, drop_in())
        assert subjects(fake) == ["one 123456", "two 123456"]


def _with_drop_in(machine: Machine, text: str, more: str) -> None:
    file = f"/run/systemd/system/{UNIT}.d/more.conf"
    install(machine, text, "one {{ code }}")
    # Which root alone may read.
    machine.write("/etc/ses-relay/ses-secret", "fake-secret\n", mode="600")
    machine.say("mkdir", "-p", str(PurePosixPath(file).parent))
    machine.write(file, more)
    machine.say("systemctl", "daemon-reload")
    machine.say("systemctl", "start", UNIT)
    assert submit(587).startswith("250 2.0.0 Ok")
    before = shown(machine, "StatusText")
    template(machine, "two {{ code }}")
    machine.say("systemctl", "reload", UNIT)
    assert shown(machine, "StatusText") not in ("", before)
    assert submit(587).startswith("250 2.0.0 Ok")
    machine.say("systemctl", "stop", UNIT)
    machine.say("rm", file)
    machine.say("systemctl", "daemon-reload")


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
