"""Containers of the image that `scripts/with-image` has built."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

IMAGE = "ses-relay:test"
PATIENCE = 120.0  # seconds until something has to be there
ENGINE = shlex.split(os.environ.get("CONTAINER_ENGINE", ""))


def engine(*words: str) -> subprocess.CompletedProcess[str]:
    """Call the engine: what came of it."""
    return subprocess.run(
        [*ENGINE, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def done(*words: str) -> str:
    """What the engine said to a command that has to work."""
    made = engine(*words)
    assert made.returncode == 0, (words, made.stdout, made.stderr)
    return made.stdout.strip()


class Container:
    """One that was started; `name` is how the engine knows it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def log(self) -> str:
        """All that the relay said, on both ways out."""
        made = engine("logs", self.name)
        return made.stdout + made.stderr

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = self.log.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def until(self, event: str) -> dict[str, Any]:
        """Wait for a log line; give it."""
        end = time.monotonic() + PATIENCE
        while True:
            found = [entry for entry in self.events if entry["event"] == event]
            if found:
                return found[-1]
            assert self.runs, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.2)

    @property
    def runs(self) -> bool:
        return bool(self.inspect("State.Running"))

    def inspect(self, path: str) -> Any:  # noqa: ANN401 - as JSON has it
        """What the engine knows of it, under a dotted name."""
        (found,) = json.loads(done("inspect", self.name))
        for name in path.split("."):
            found = found[name]
        return found

    def port(self, inside: int) -> int:
        """The port of this machine that leads to one of the container's."""
        return int(done("port", self.name, str(inside)).rpartition(":")[2])

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        return engine("exec", self.name, *words)

    def stop(self) -> int:
        """Stop it as an operator does; the relay's exit code."""
        done("stop", "--time", "30", self.name)
        return int(self.inspect("State.ExitCode"))


@contextmanager
def container(*options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """Run the image, with the engine's `options`; it is removed at the end."""
    name = f"ses-relay-{uuid.uuid4().hex[:12]}"
    done("run", "--detach", "--name", name, *options, IMAGE, *command)
    try:
        yield Container(name)
    finally:
        engine("rm", "--force", "--volumes", name)
