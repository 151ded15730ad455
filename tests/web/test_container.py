"""The `docker run` line of docs/container.md, as far as it goes without an engine.

Its shell runs it as it stands there; what stands in for `docker` starts the relay with
the same arguments and environment, but listens on free ports of loopback.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay import config
from tests.server.relay_process import ROOT, WAIT, RelayProcess, environment
from tests.web.site import Site, mail
from tests.web.test_safety import basic

PAGE = (ROOT / "docs" / "container.md").read_text("utf-8")
[LINES] = re.findall(r"```sh\n(docker build.*?)```", PAGE, re.DOTALL)
IMAGE = dict(re.findall(r"(RELAY_\w+)=(\S+)", (ROOT / "Dockerfile").read_text("utf-8")))
DOCKER = f"""#!{sys.executable}
import os, pathlib, sys
verb, *words = sys.argv[1:]
if verb == "build":
    sys.exit(0)
given = dict({IMAGE!r})
while words[0].startswith("-"):
    option = words.pop(0)
    if option in ("-e", "-p"):
        value = words.pop(0)
        if option == "-e":
            name, _, text = value.partition("=")
            given[name] = text
assert words.pop(0) == "ses-relay"

def here(text):
    for port in ("1025", "8025", "8026"):
        text = text.replace("0.0.0.0:" + port, "127.0.0.1:0")
    return text

os.mkdir("share")
for file in pathlib.Path({str(ROOT / "deploy" / "image")!r}).iterdir():
    pathlib.Path("share", file.name).write_text(here(file.read_text()))
for name, text in given.items():
    os.environ[name] = here(text).replace("/usr/share/ses-relay", "share")
os.execv(sys.executable, [sys.executable, "-m", "relay", *words])
"""


@contextmanager
def container(directory: Path) -> Iterator[RelayProcess]:
    docker = directory / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    shell = shutil.which("sh")
    assert shell is not None
    # `exec`, so that a signal comes to the relay, as it does in a container.
    script = LINES.replace("docker run --rm -p", "exec docker run -p")
    process = subprocess.Popen(
        [shell, "-e", "-c", f"{script.rstrip()} >/dev/null"],
        cwd=directory,
        env={
            **environment({"RELAY_LOG__FORMAT": "json"}),
            "PATH": f"{directory}:{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    relay = RelayProcess(process)
    try:
        relay.event("ready")
        yield relay
    finally:
        relay.stop()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def test_the_docker_line_of_the_readme_captures_for_all(tmp_path: Path) -> None:
    with container(tmp_path) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT) as app:
            app.login("whoever", "whatever")
            app.send_message(mail())
        site = Site(relay)
        said = re.search(
            r"the page's user is (\S+), its password (\S+)", "".join(relay.stderr)
        )
        assert said is not None
        person = basic(said[1], said[2])
        [one] = site.get("/api/v1/mails", person).json["mails"]
        assert one["state"] == "captured"
        assert site.get("/api/v1/mails").status == 401
        # The browser outside asks by the name of its own machine.
        assert site.get("/", {**person, "Host": "localhost:8025"}).status == 200
        assert Site(relay, "health").get("/readyz").status == 200


def test_its_ports_are_those_that_the_image_listens_on() -> None:
    words = shlex.split(LINES.rpartition("docker run")[2])
    published = [value for option, value in itertools.pairwise(words) if option == "-p"]
    assert published == ["127.0.0.1:1025:1025", "127.0.0.1:8025:8025"]
    settings = config.load(None, in_image(), capture=True)
    (listener,) = settings.listeners
    assert listener.address == "0.0.0.0:1025"
    assert settings.web.listen == "0.0.0.0:8025"
    assert settings.health.listen == "0.0.0.0:8026"
    (said,) = config.warnings(settings)
    assert "takes mail from whoever reaches 0.0.0.0:1025" in said


def test_what_the_image_says_is_weaker_than_its_users_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        "ses.region = 'eu-west-1'\n"
        "[queue]\npath = '/mail/spool.db'\n[health]\nlisten = '127.0.0.1:9'\n"
    )
    chosen = config.load(file, in_image())
    assert config.spool_path(chosen) == Path("/mail/spool.db")
    assert chosen.health.listen == "127.0.0.1:9"
    # What is for capture mode is for nobody else.
    assert chosen.listeners == config.Config().listeners
    assert chosen.web == config.Config().web


def in_image() -> dict[str, str]:
    """The image's environment, its files where the checkout has them."""
    return {"RELAY_DEFAULTS": str(ROOT / "deploy" / "image")}
