"""docs/tutorial.md, as a stranger goes through it: each command, in order, for real.

Its relays run as processes, its commands in a shell; in the place of SES is FakeSes.
Ports are free ones, and the installation is left out: `make demo` does the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relay import config
from tests.fake_ses import Answer, FakeSes
from tests.server.relay_process import ROOT, WAIT, RelayProcess, environment
from tests.server.tools import need

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
BLOCK = re.compile(r"(.*?)^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INSTALLATION = "make environment\n. .venv/bin/activate\n"
ACCOUNT = {
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 12},
}


@dataclass
class Reader:
    """Somebody with two terminals: one for the relay, one for all else."""

    folder: Path
    variables: dict[str, str]
    relay: RelayProcess | None = None
    ran: list[str] = field(default_factory=list)

    def start(self, words: list[str]) -> None:
        """Start the relay in the first terminal."""
        assert self.relay is None
        process = subprocess.Popen(
            [sys.executable, "-m", "relay", *words],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.relay = RelayProcess(process)
        self.relay.event("ready")

    def end(self) -> None:
        """Ctrl-C."""
        if self.relay is None:
            return
        assert self.relay.stop(signal.SIGINT) == 0
        for stream in (self.relay.process.stdout, self.relay.process.stderr):
            assert stream is not None
            stream.close()
        self.relay = None

    def write(self, name: str, text: str, *, add: bool) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{file.read_text() if add else ''}\n{text}".lstrip())
        if self.relay is not None:
            self.relay.event("reloaded")

    def run(self, command: str) -> str:
        """What a command of the second terminal says."""
        done = subprocess.run(
            ["sh", "-c", self._with_ports(command)],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WAIT,
            check=False,
        )
        self.ran.append(command)
        return done.stdout

    def _with_ports(self, command: str) -> str:
        if self.relay is None:
            return command
        server = f"127.0.0.1:{self.relay.port()}"
        command = command.replace("localhost:1025", server)
        command = command.replace("relay send ", f"relay send --server {server} ")
        for port, listener in (("8025", "web"), ("8026", "health")):
            if port in command:
                command = command.replace(port, str(self.relay.port(listener)))
        return command


def said(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what it is to print."""
    whole = re.sub(r"\\\n *", "", block)
    for part in re.split(r"^\$ ", whole, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def fits(output: str, expected: str) -> bool:
    """Whether it is what the page shows; a line `…` is any lines, else any text."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in expected.strip().splitlines()
    )
    return re.fullmatch(pattern, f"{output.strip()}\n") is not None


def go_through(reader: Reader) -> None:
    for prose, language, block in BLOCK.findall(TUTORIAL):
        if "End the relay with Ctrl-C" in prose:
            reader.end()
        match language:
            case "sh" if block == INSTALLATION:
                pass
            case "sh":
                words = block.split()
                assert words[:2] == ["relay", "serve"], block
                reader.start(words[1:])
            case "console":
                for command, expected in said(block):
                    output = reader.run(command)
                    assert fits(output, expected), f"{command}\n{output}"
            case "html" | "toml":
                name = re.findall(r"`([\w/]+\.\w+)`", prose)[-1]
                reader.write(name, block, add=f"add this to `{name}`" in prose)
            case _:
                raise AssertionError(f"a block that nobody runs:\n{block}")


def test_what_a_command_prints_is_compared_with_what_the_page_shows() -> None:
    assert fits("a\nb\n250 Ok x1\nc\n", "…\n250 Ok …\n…\n")
    assert fits("250 Ok x1\n", "…\n250 Ok …\n…\n")
    assert not fits("a\nb\n251 Ok x1\nc\n", "…\n250 Ok …\n…\n")
    assert not fits("dropped 2 mails\n", "dropped 1 mail\n")


async def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    for tool in ("swaks", "curl"):
        need(tool)
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RELAY_LISTENERS": '[{"name": "local", "address": "127.0.0.1:0"}]',
        "RELAY_WEB__LISTEN": "127.0.0.1:0",
        "RELAY_HEALTH__LISTEN": "127.0.0.1:0",
        "RELAY_LOG__FORMAT": "json",
        # What AWS' default chain finds, and where it leads here.
        "AWS_ACCESS_KEY_ID": "AKIAFAKE",
        "AWS_SECRET_ACCESS_KEY": "fake-secret",
    }
    async with FakeSes() as fake:
        fake.resources = {
            "/v2/email/account": Answer(body=json.dumps(ACCOUNT).encode()),
            "/v2/email/identities/acme.example": Answer(
                body=json.dumps({"VerifiedForSendingStatus": True}).encode()
            ),
        }
        variables["RELAY_SES__ENDPOINT_URL"] = fake.url
        reader = Reader(tmp_path, environment(variables))
        try:
            await asyncio.to_thread(go_through, reader)
        finally:
            reader.end()
        [sent] = fake.sent

    assert sent.wrong == ""
    assert b"Subject: Your code is 123456\r\n" in sent.mail
    assert len(reader.ran) > 15


def test_the_ports_of_the_tutorial_are_the_defaults() -> None:
    settings = config.load(None, {})
    [listener] = settings.listeners
    assert f"listens on `{listener.address}`" in TUTORIAL
    assert f"has a page at <http://{settings.web.listen}>" in TUTORIAL
