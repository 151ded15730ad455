"""The relay as a real process on free ports: what it logs and what it captures."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
WAIT = 60.0  # seconds until something that has to come counts as missing


@dataclass(frozen=True, slots=True)
class Shown:
    """One mail as `relay serve --capture --show` prints it."""

    id: str
    words: Mapping[str, str]  # usage, template, to, size, subject
    parameters: Mapping[str, Any]
    content: bytes

    @property
    def recipients(self) -> list[str]:
        addresses: list[str] = self.parameters["Destination"]["ToAddresses"]
        return addresses


class RelayProcess:
    """A running `relay serve`; everything it says is collected while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self.stderr: list[str] = []
        self._silent = False  # it has ended, and all that it said is here
        self._changed = threading.Condition()
        self._shown: queue.SimpleQueue[Shown] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=read, args=(stream,))
            for read, stream in (
                (self._read_log, process.stderr),
                (self._read_shown, process.stdout),
            )
        ]
        for thread in self._threads:
            thread.start()

    def _read_log(self, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self.stderr.append(line)
                if line.startswith("{"):
                    self.log.append(json.loads(line))
                self._changed.notify_all()
        self.process.wait()
        with self._changed:
            self._silent = True
            self._changed.notify_all()

    def _read_shown(self, stream: IO[str]) -> None:
        for line in stream:
            if line.startswith("captured "):
                self._shown.put(_one_shown(line, stream))

    def event(
        self, name: str, match: Callable[[dict[str, Any]], bool] = lambda entry: True
    ) -> dict[str, Any]:
        """Wait for the first log line of this event that `match` takes."""
        return self.events(name, 1, match)[0]

    def events(
        self,
        name: str,
        count: int,
        match: Callable[[dict[str, Any]], bool] = lambda entry: True,
    ) -> list[dict[str, Any]]:
        """Wait for that many of them: all there are by then."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.log if one["event"] == name and match(one)]

        with self._changed:
            self._changed.wait_for(
                lambda: len(found()) >= count or self._silent, timeout=WAIT
            )
            entries = found()
        if len(entries) < count:
            raise AssertionError(f"no {name!r} among:\n{''.join(self.stderr)}")
        return entries

    def port(self, listener: str = "local") -> int:
        """The port that a listener, or `health`, got."""
        entry = self.event("listening", lambda one: one["listener"] == listener)
        return int(entry["address"].rpartition(":")[2])

    def next_captured(self) -> Shown:
        """The next captured mail, in the order of capture."""
        return self._shown.get(timeout=WAIT)

    def captured_so_far(self) -> list[Shown]:
        """What was captured and not asked for yet."""
        found = []
        while not self._shown.empty():
            found.append(self._shown.get())
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end: the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end: the exit code."""
        code = self.process.wait(timeout=WAIT + 25)
        for thread in self._threads:
            thread.join()
        return code


def _one_shown(first: str, stream: IO[str]) -> Shown:
    """Read a mail after its first line: parameters, content, an empty line."""
    _, mail_id, *pairs = first.rstrip("\n").split(" ", 6)
    words = dict(pair.split("=", 1) for pair in pairs)
    parameters = ""
    while not parameters.endswith("\n}\n"):
        parameters += stream.readline() or "\n}\n"
    size = int(words["size"])
    lines = []
    while size > 0 and (line := stream.readline()):
        lines.append(line.rstrip("\n").encode() + b"\r\n")
        size -= len(lines[-1])
    # The last line end may be the show's own.
    content = b"".join(lines)[: int(words["size"])]
    return Shown(mail_id, words, json.loads(parameters), content)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process' environment without its own settings of relay and AWS."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RELAY_", "AWS_"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **settings}


@contextmanager
def running_relay(
    *arguments: str,
    settings: Mapping[str, str | None] | None = None,
    up_to: str = "ready",
    command: str = "serve",
) -> Iterator[RelayProcess]:
    """Run `relay serve` (default: `--capture --show`) until the context ends.

    `up_to`: the log line with which the context begins.

    `settings` are RELAY_… variables, None for one that is not set; the listener is
    127.0.0.1 on a free port, and there is no page, unless they say otherwise.
    """
    if not arguments:
        arguments = ("--capture", "--show")
    chosen = {
        "RELAY_LISTENERS": '[{"name": "local", "address": "127.0.0.1:0"}]',
        "RELAY_LOG__FORMAT": "json",
        # SES' answer is the reply, unless a test wants the queue.
        "RELAY_QUEUE__ENGINE": "none",
        # Its default port is one, and several relays run at a time.
        "RELAY_WEB__LISTEN": "",
        **(settings or {}),
    }
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "relay", command, *arguments],
            cwd=directory,
            env=environment({k: v for k, v in chosen.items() if v is not None}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        relay = RelayProcess(process)
        try:
            relay.event(up_to)
            yield relay
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                relay.wait()
            except subprocess.TimeoutExpired:
                process.kill()
                relay.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that no event tells of.

    While this process does not run, nothing else may either: that does not count.
    """
    end = time.monotonic() + WAIT
    while not condition():
        before = time.monotonic()
        if before > end:
            raise AssertionError("it never came true")
        time.sleep(0.01)
        end += max(time.monotonic() - before - 1, 0)
