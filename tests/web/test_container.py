"""The README's `docker run` line, as far as it goes without an engine.

Its shell runs it as it stands there; what stands in for `docker` starts the relay with
the same arguments and environment, but listens on free ports of loopback.
"""

from __future__ import annotations

import itertools
import json
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

from tests.server.relay_process import ROOT, WAIT, RelayProcess, environment
from tests.web.site import Site, mail
from tests.web.test_safety import basic

[LINES] = re.findall(
    r"```sh\n(docker build.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
)
IMAGE = dict(re.findall(r"(RELAY_\w+)=(\S+)", (ROOT / "Dockerfile").read_text("utf-8")))
DOCKER = f"""#!{sys.executable}
import os, sys
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
for name, text in given.items():
    for port in ("1025", "8025", "8026"):
        text = text.replace("0.0.0.0:" + port, "127.0.0.1:0")
    os.environ[name] = text
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
        [one] = site.get("/api/v1/mails", basic("dev", "open sesame")).json["mails"]
        assert one["state"] == "captured"
        assert site.get("/api/v1/mails").status == 401
        # The browser outside asks by the name of its own machine.
        host = {**basic("dev", "open sesame"), "Host": "localhost:8025"}
        assert site.get("/", host).status == 200
        assert Site(relay, "health").get("/readyz").status == 200


def test_its_addresses_are_those_of_a_container(tmp_path: Path) -> None:
    """With the very addresses, which the test above does not listen on."""
    words = shlex.split(LINES.rpartition("docker run")[2])
    options = list(itertools.pairwise(words))
    given = dict(value.split("=", 1) for option, value in options if option == "-e")
    published = [value for option, value in options if option == "-p"]
    assert published == ["127.0.0.1:1025:1025", "127.0.0.1:8025:8025"]
    [listener] = json.loads(given["RELAY_LISTENERS"])
    assert listener["address"] == "0.0.0.0:1025"
    assert given["RELAY_WEB__LISTEN"] == "0.0.0.0:8025"
    given["RELAY_WEB__PASSWORD_HASH"] = (
        subprocess.run(
            [sys.executable, "-m", "relay", "password"],
            input=b"open sesame\n",
            env=environment({}),
            stdout=subprocess.PIPE,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    found = subprocess.run(
        [sys.executable, "-m", "relay", "check"],
        cwd=tmp_path,
        env=environment({**given, "RELAY_TRANSPORT": "capture"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = found.stdout + found.stderr
    assert "open relay" not in said
    assert "takes mail from whoever reaches 0.0.0.0:1025" in said
