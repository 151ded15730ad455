"""What reading changed templates costs: `python -m bench.reload`, in a real relay.

A folder of 100 templates changes, and SIGHUP asks for it: processor time and time until
the new set is in force, and how long a mail took at most meanwhile and at other times.
"""

from __future__ import annotations

import argparse
import os
import signal
import smtplib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.process import cpu_seconds
from bench.relays import free_port
from bench.templates import row

TEMPLATES = 100
PATIENCE = 60.0  # seconds until something has to be there
PAUSE = 0.002  # seconds between two mails
MAIL = (
    b"From: App <app@acme.example>\r\nTo: ann@example.net\r\nSubject: old\r\n"
    b"X-Relay-Usage: U0\r\nX-Relay-Variable-name: Ann\r\n"
    b"X-Relay-Variable-code: 123456\r\n"
    b"X-Relay-Variable-link: https://acme.example/a\r\n\r\nold\r\n"
)


def page(size: int, version: int) -> str:
    """A template of some `size` bytes, another for each version."""
    made = [
        "+++\nsubject = 'Your code is {{ code }}'\n+++\n",
        "<!doctype html><html><body><table>\n",
        row("Hello {{ name }}"),
        row("{{ code }}"),
        '<a href="{{ link }}">Open</a></table></body></html>\n',
    ]
    left = size - sum(map(len, made))
    while left > 0:
        made.insert(-1, row(f"Line {left} of letter {version}."))
        left -= len(made[-2])
    return "".join(made)


class Running:
    """A relay that captures, its folder of templates, and a client that sends on."""

    def __init__(self, directory: Path, port: int, log: Path, pid: int) -> None:
        self._templates = directory / "templates"
        self._port = port
        self._log = log
        self.pid = pid
        self._said = 0

    def write(self, numbers: Sequence[int], size: int, version: int) -> None:
        """Change these templates."""
        for number in numbers:
            new = self._templates / f".U{number}"
            new.write_text(page(size, version * TEMPLATES + number), "utf-8")
            new.replace(self._templates / f"U{number}.html")

    def reload(self) -> tuple[float, float]:
        """Have them read: when that began, and when the new set was in force."""
        began = time.perf_counter()
        os.kill(self.pid, signal.SIGHUP)
        self._said += 1
        _until(lambda: self._log.read_text("utf-8").count('"reloaded"') == self._said)
        return began, time.perf_counter()

    @contextmanager
    def mail(self) -> Iterator[list[tuple[float, float]]]:
        """Send mail after mail: when each began and ended."""
        sent: list[tuple[float, float]] = []
        over = threading.Event()

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", self._port, timeout=PATIENCE) as client:
                client.ehlo()
                while not over.wait(PAUSE):
                    began = time.perf_counter()
                    client.sendmail("app@acme.example", ["ann@example.net"], MAIL)
                    sent.append((began, time.perf_counter()))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield sent
        finally:
            over.set()
            thread.join()


def main(words: Sequence[str]) -> int:
    """Measure, and print a line for each case."""
    parser = argparse.ArgumentParser("python -m bench.reload", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args(words)
    every = range(TEMPLATES)
    for name, size, numbers, syntax in (
        ("1 kB, all changed", 1_000, every, "simple"),
        ("20 kB, one changed", 20_000, every[:1], "simple"),
        ("20 kB, all changed", 20_000, every, "simple"),
        ("1 kB in Jinja's syntax, all changed", 1_000, every, "jinja"),
        ("20 kB in Jinja's syntax, all changed", 20_000, every, "jinja"),
    ):
        with _running(size, syntax) as relay:
            print(f"{name}: {_measured(relay, size, numbers, options.repeats)}")
    return 0


def _measured(relay: Running, size: int, numbers: Sequence[int], repeats: int) -> str:
    cpu, wall, beside, else_ = [], [], [], []
    for version in range(1, repeats + 1):
        relay.write(numbers, size, version)
        before = cpu_seconds(relay.pid)
        began, ended = relay.reload()
        cpu.append(cpu_seconds(relay.pid) - before)
        wall.append(ended - began)
    for version in range(repeats + 1, 2 * repeats + 1):
        relay.write(numbers, size, version)
        with relay.mail() as sent:
            time.sleep(0.5)
            began, ended = relay.reload()
            time.sleep(0.1)
        took = [(end - start, end > began and start < ended) for start, end in sent]
        beside.append(max(long for long, is_beside in took if is_beside))
        else_.append(max(long for long, is_beside in took if not is_beside))
    return (
        f"{min(cpu) * 1000:.0f} ms of processor time (median "
        f"{statistics.median(cpu) * 1000:.0f}), in force after "
        f"{min(wall) * 1000:.0f} ms; longest mail beside it "
        f"{min(beside) * 1000:.1f} ms (median {statistics.median(beside) * 1000:.1f}), "
        f"else {min(else_) * 1000:.1f} ms (median "
        f"{statistics.median(else_) * 1000:.1f})"
    )


@contextmanager
def _running(size: int, syntax: str) -> Iterator[Running]:
    with TemporaryDirectory() as made:
        directory, port = Path(made), free_port()
        (directory / "templates").mkdir()
        settings = directory / "config.toml"
        settings.write_text(
            f'templatesDir = "templates"\nsyntax = "{syntax}"\nreload = "signal"\n'
            '[web]\nlisten = ""\n[health]\nlisten = ""\n[queue]\nengine = "none"\n'
            f'[[listeners]]\nname = "local"\naddress = "127.0.0.1:{port}"\n',
            "utf-8",
        )
        log = directory / "log"
        command = (sys.executable, "-m", "relay", "serve", "--capture", "-c", settings)
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            relay = Running(directory, port, log, process.pid)
            relay.write(range(TEMPLATES), size, 0)
            _until(lambda: _greets(port))
            relay.reload()
            yield relay
        finally:
            process.terminate()
            process.wait()


def _greets(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE):
            return True
    except OSError:
        return False


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the relay did not do what it was to do")
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
