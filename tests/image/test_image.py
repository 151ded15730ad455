"""The image does what `docs/container.md` says, run by an engine as it says it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import smtplib
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from relay import __version__
from tests.fake_ses import FakeSes, error
from tests.image.engine import ENGINE, IMAGE, Container, container, done, engine
from tests.server.relay_process import ROOT
from tests.server.reloading import ses, toml

pytestmark = pytest.mark.skipif(
    not ENGINE, reason="`make test-image` builds the image that this needs"
)
MAIL = b"From: app@acme.example\r\nTo: ann@example.com\r\nSubject: one\r\n\r\nHello\r\n"
ANYWHERE = ("--publish", "127.0.0.1::1025", "--publish", "127.0.0.1::8025")
SPOOL = "/var/spool/relay"


def submit(port: int) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo()
        client.mail("app@acme.example")
        client.rcpt("ann@example.com")
        code, text = client.data(MAIL)
        return f"{code} {text.decode()}"


def settings(directory: Path, fake: FakeSes, **more: object) -> Path:
    """A config.toml that a container reads by its mount, whoever it runs as."""
    given = {
        "ses": ses(fake),
        "web": {"listen": ""},
        "listeners": [{"name": "local", "address": "127.0.0.1:0"}],
        **more,
    }
    directory.mkdir(exist_ok=True)
    file = directory / "config.toml"
    file.write_text(
        "".join(f"{name} = {toml(value)}\n" for name, value in given.items())
    )
    for path in (directory, *directory.parents):
        if path.stat().st_mode & 0o7 == 0:
            path.chmod(0o755)
    file.chmod(0o644)
    return file


@contextmanager
def volume() -> Iterator[str]:
    name = f"ses-relay-{uuid.uuid4().hex[:12]}"
    done("volume", "create", name)
    try:
        yield name
    finally:
        engine("volume", "rm", "--force", name)


def serving(file: Path, volume: str, *more: str) -> Any:  # noqa: ANN401
    """A container as in production, but in the network where the fake SES is."""
    return container(
        *("--network", "host", "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges"),
        *("--volume", f"{file}:/etc/ses-relay/config.toml:ro"),
        *("--volume", f"{volume}:{SPOOL}", *more),
    )


def listens(relay: Container, name: str = "local") -> int:
    relay.until("ready")
    (found,) = (
        entry["address"] for entry in relay.events if entry.get("listener") == name
    )
    return int(found.rpartition(":")[2])


def test_the_first_look_captures_a_mail_that_is_on_the_page() -> None:
    with container(*ANYWHERE, command=("serve", "--capture")) as relay:
        relay.until("ready")
        assert submit(relay.port(1025)).startswith("250 ")
        said = re.search(r"user is (\S+), its password (\S+)", relay.log)
        assert said
        login = base64.b64encode(f"{said[1]}:{said[2]}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{relay.port(8025)}/api/v1/mails",
            headers={"Authorization": f"Basic {login}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            (mail,) = json.load(answer)["mails"]
        assert mail["subject"] == "one"
        assert relay.stop() == 0


async def test_a_mail_that_waits_outlives_the_container_that_took_it(
    tmp_path: Path,
) -> None:
    async with FakeSes(*[error("TooManyRequestsException", 429, "slow")] * 99) as fake:
        queue = {"answerWithin": 1, "retryDelays": [1]}
        with volume() as kept:
            file = settings(tmp_path / "etc", fake, queue=queue)
            await asyncio.to_thread(_queued, file, kept)
            fake.answers.clear()
            taken = len(fake.sent)
            await asyncio.to_thread(_sent, file, kept)
        assert len(fake.sent) > taken
        assert b"Subject: one" in fake.sent[-1].mail


def _queued(file: Path, kept: str) -> None:
    with serving(file, kept) as relay:
        assert submit(listens(relay)).startswith("250 2.0.0 queued as ")
        listed = relay.run("relay", "queue", "list", "--json")
        assert "ann@example.com" in listed.stdout, listed.stderr
        assert relay.stop() == 0


def _sent(file: Path, kept: str) -> None:
    with serving(file, kept) as relay:
        relay.until("sent")


async def test_any_user_of_the_group_root_may_run_it(tmp_path: Path) -> None:
    async with FakeSes() as fake:
        file = settings(tmp_path / "etc", fake)
        await asyncio.to_thread(_as_somebody, file)
        assert len(fake.sent) == 1


def _as_somebody(file: Path) -> None:
    # Without a volume of its own: that would be its first user's.
    with container(
        *("--network", "host", "--user", "1000680000:0", "--cap-drop", "ALL"),
        *("--volume", f"{file}:/etc/ses-relay/config.toml:ro"),
    ) as relay:
        assert submit(listens(relay)).startswith("250 2.0.0 Ok ")
        assert relay.run("relay", "queue", "list").returncode == 0


async def test_what_the_file_says_is_stronger_than_the_image(tmp_path: Path) -> None:
    async with FakeSes() as fake:
        file = settings(
            tmp_path / "etc",
            fake,
            queue={"path": f"{SPOOL}/mine.db"},
            health={"listen": "127.0.0.1:8027"},
        )
        with volume() as kept:
            await asyncio.to_thread(_with_its_own, file, kept)


def _with_its_own(file: Path, kept: str) -> None:
    with serving(file, kept) as relay:
        relay.until("ready")
        assert relay.run("test", "-e", f"{SPOOL}/mine.db").returncode == 0
        assert relay.run("test", "-e", f"{SPOOL}/relay-spool.db").returncode == 1
        assert relay.run("relay", "ready").stdout == "ready\n"
        assert healthy(relay)


def healthy(relay: Container) -> bool:
    """Run the image's own health check, as an engine does every ten seconds."""
    kind, command = relay.inspect("Config.Healthcheck.Test")
    assert kind == "CMD-SHELL"
    return relay.run("sh", "-c", command).returncode == 0


def test_the_health_check_says_whether_a_relay_takes_mail() -> None:
    with container(command=("serve", "--capture")) as relay:
        relay.until("ready")
        assert healthy(relay)
        # All its processor time, the interpreter's start too.
        cost = relay.run(
            *("python", "-c"),
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); "
            "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
            "print(round(used.ru_utime + used.ru_stime, 3))",
            *("sh", "-c", relay.inspect("Config.Healthcheck.Test")[1]),
        )
        print("a health check takes", cost.stdout.split()[-1], "s of processor time")
    with container("--entrypoint", "sleep", command=("60",)) as nobody:
        assert not healthy(nobody)


def test_code_and_libraries_are_layers_of_their_own_and_labels_say_what_it_is() -> None:
    (about,) = json.loads(done("image", "inspect", IMAGE))
    labels = about["Config"]["Labels"].items()
    assert {name: said for name, said in labels if name.startswith("org.")} == {
        "org.opencontainers.image.title": "ses-relay",
        "org.opencontainers.image.description": (
            "A direct, SMTP-compatible relay to Amazon SES with usage templates"
        ),
        "org.opencontainers.image.licenses": "Apache-2.0 AND ISC AND MIT",
    }
    print("the image has", about["Size"] // 10**6, "MB")
    size = "SIZE=$(du -s {} | cut -f1); echo $SIZE"
    site = "/opt/relay/lib/python3.13/site-packages"
    with container("--entrypoint", "sleep", command=("60",)) as idle:
        assert idle.run("relay", "--version").stdout == f"relay {__version__}\n"
        assert idle.run("test", "-e", f"{site}/pip").returncode == 1
        assert idle.run("id", "-u").stdout + idle.run("id", "-g").stdout == (
            "10025\n10025\n"
        )
        whole, code = (
            int(idle.run("sh", "-c", size.format(path)).stdout)
            for path in ("/opt/relay", f"{site}/relay")
        )
        assert code < whole / 5
    # The two that are not changed together are copied one after the other.
    copied = [
        line
        for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines()
        if line.startswith("COPY --from=")
    ]
    assert [line.split("=")[1].split()[0] for line in copied] == [
        "dependencies",
        "code",
    ]
