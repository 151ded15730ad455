"""The relays that are measured: how each is started, found ready, and stopped."""

from __future__ import annotations

import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.cases import Case
from bench.process import Cores, on_core
from bench.settings import KEY_ID, KEY_SECRET, REGION
from bench.tools import ROOT

_LOOK_EVERY = 0.002


class NotStarted(Exception):  # noqa: N818 - a statement about the relay
    """The relay did not serve; the text is the last that it said."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay to measure: `command` may hold {port}, {ses} and {config}."""

    name: str
    command: tuple[str, ...]
    features: bool = True  # it has templates and a queue
    patience: float = 30.0  # seconds until one that says nothing counts as broken

    def words(self, *, port: int, ses_url: str, config: Path) -> list[str]:
        """The command that starts it."""
        values = {"{port}": str(port), "{ses}": ses_url, "{config}": str(config)}
        words = []
        for word in self.command:
            for name, value in values.items():
                word = word.replace(name, value)  # noqa: PLW2901
            words.append(word)
        return words

    def case(self, case: Case) -> Case:
        """`case` as this relay meets it: a plain one queues nothing."""
        return case if self.features else case.plain


RELAY = Relay("relay", (sys.executable, "-m", "relay", "serve", "-c", "{config}"))
BASELINE = Relay(
    "baseline", (sys.executable, "-m", "bench.baseline", "{port}", "{ses}"), False
)
FLOOR = Relay("floor", (sys.executable, "-m", "bench.floor", "{port}", "{ses}"), False)
OWN = (BASELINE, FLOOR)  # in every run, so that figures of two runs can be compared


def parse(text: str) -> Relay:
    """Read `name=command`; raises ValueError."""
    name, _, command = text.partition("=")
    words = tuple(shlex.split(command))
    if not name or not words:
        raise ValueError(f"{text!r} is not name='command with {{port}} {{ses}}'")
    if name in {relay.name for relay in (RELAY, *OWN)}:
        raise ValueError(f"{name!r} is the name of a relay that always runs")
    return Relay(name, words)


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago.

    Below those that the kernel gives to clients: who asks such a port again and
    again until somebody listens may be given it himself, and connect to himself.
    """
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Running:
    """`with Running(relay, …) as running`: serves until the block ends.

    `seconds_to_220` is the time from its start to the first 220 that a client read.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        directory: Path,
        certificate: Path,
        port: int,
        ses_url: str,
        config: Path,
        cores: Cores,
    ) -> None:
        self._relay = relay
        self._words = relay.words(port=port, ses_url=ses_url, config=config)
        self._log = directory / f"{relay.name}.log"
        self._directory = directory
        self._environment = _environment(certificate, ses_url)
        self._cores = cores
        self.port = port
        self.seconds_to_220 = 0.0

    def __enter__(self) -> Self:
        with self._log.open("wb") as log, on_core(self._cores.relay):
            start = time.monotonic()
            try:
                self._process = subprocess.Popen(
                    self._words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                    env=self._environment,
                )
            except OSError as error:
                raise NotStarted(f"{self._words[0]}: {error.strerror}") from error
        try:
            self._wait_for_220(start + self._relay.patience)
        except BaseException:
            self._stop()
            raise
        self.seconds_to_220 = time.monotonic() - start
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def _wait_for_220(self, until: float) -> None:
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise NotStarted(self._last_words())
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as client:
                    if client.recv(4) == b"220 ":
                        return
            except OSError:
                pass
            time.sleep(_LOOK_EVERY)  # not listening yet
        raise NotStarted(
            f"no 220 within {self._relay.patience:g} s; {self._last_words()}"
        )

    def _last_words(self) -> str:
        said = self._log.read_text("utf-8", "replace").replace(
            f"{self._directory}/", ""
        )
        lines = said.strip().splitlines()
        return lines[-1][:300] if lines else f"exit code {self._process.poll()}"

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._relay.patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment(certificate: Path, ses_url: str) -> dict[str, str]:
    """AWS by the settings below and nothing else: no profile, no metadata."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "RELAY_", "PYTHON"))
        and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": KEY_SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL_SESV2": ses_url,
        "AWS_CA_BUNDLE": str(certificate),
        "SSL_CERT_FILE": str(certificate),  # Go, OpenSSL
        "NODE_EXTRA_CA_CERTS": str(certificate),
    }
