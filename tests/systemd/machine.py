"""A small Debian that systemd has booted in a container, with the relay installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0  # seconds until something has to be there


class Machine:
    """A container that runs; what is written in it is gone with it."""

    def __init__(self, init: int) -> None:
        self._enter = ("nsenter", "--target", str(init), "--all", "--")

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in it as root: what came of it."""
        return subprocess.run(
            [*self._enter, *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )

    def say(self, *words: str, given: str = "") -> str:
        """Run a command that must work: what it said."""
        made = self.run(*words, given=given)
        assert made.returncode == 0, (words, made.stdout, made.stderr)
        return made.stdout.strip()

    def write(self, path: str, content: str, *, mode: str = "644") -> None:
        """Put a whole file in the place of the one before, owned as that was."""
        script = 'umask 077; cat >"$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1"'
        self.say("sh", "-c", script, "sh", path, mode, given=content)

    def until(self, *words: str, says: str) -> None:
        """Wait until the command's last line is this."""
        end = time.monotonic() + PATIENCE
        while (said := self.run(*words).stdout.strip().rpartition("\n")[2]) != says:
            assert time.monotonic() < end, (words, said)
            time.sleep(0.1)

    def journal(self, unit: str, *more: str) -> str:
        """What the unit and systemd said of it."""
        self.say("journalctl", "--sync")
        command = ("journalctl", "--unit", unit, "--output", "cat", "--no-pager")
        return self.say(*command, *more)


@contextmanager
def booted(directory: Path, log: Path) -> Iterator[Machine]:
    """Boot what `scripts/systemd-machine` made in `directory`, which stays as it is."""
    command = (
        *("systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--quiet"),
        *("--volatile=overlay", "--console=pipe", "--directory", str(directory)),
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        machine = Machine(_init(process))
        machine.until("systemctl", "is-system-running", says="running")
        yield machine
    finally:
        process.terminate()  # by which it powers off
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def machine_directory() -> Path | None:
    """Where `make test-systemd` made one; None: it did not."""
    made = os.environ.get("SYSTEMD_MACHINE")
    return Path(made).resolve() if made and shutil.which("systemd-nspawn") else None


def _init(container: subprocess.Popen[bytes]) -> int:
    """The process that is the first one inside, once there is one."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    end = time.monotonic() + PATIENCE
    while container.poll() is None and time.monotonic() < end:
        for child in children.read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        time.sleep(0.1)
    raise AssertionError("systemd did not begin")
