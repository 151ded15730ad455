"""The two tools in C: built when needed, started, asked, and ended."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.cases import Case
from bench.process import Cores, cpu_seconds, on_core

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "bench"
SOURCES = Path(__file__).parent / "c"
_LIBRARIES = {"load": ["-lm"], "ses": ["-lssl", "-lcrypto"]}
_PATIENCE = 90.0  # seconds beyond a run's own time until a tool counts as stuck


class Unusable(Exception):  # noqa: N818 - a statement, meant for the operator
    """The bench cannot run here; the text names the cure."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are, and on which cores what runs."""

    load: Path
    ses: Path
    cores: Cores


def build(directory: Path = BUILD) -> Tools:
    """Compile what is older than its source; raises Unusable."""
    directory.mkdir(parents=True, exist_ok=True)
    _need_compiler()
    made = {name: _compile(name, directory) for name in _LIBRARIES}
    # As pip does when it installs: a start is not to be measured with the compiler
    # in it, whatever PYTHONDONTWRITEBYTECODE says here.
    compileall.compile_dir(ROOT / "relay", quiet=2)
    return Tools(made["load"], made["ses"], Cores.choose())


def _need_compiler() -> None:
    missing = []
    if shutil.which("gcc") is None:
        missing += ["gcc", "libc6-dev"]
    elif not _compiles("#include <openssl/ssl.h>"):
        missing += ["libssl-dev"]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unusable(
            f"{' and '.join(missing)} missing; on Debian and Ubuntu: "
            f"{' '.join(command)} (as root)"
        )
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
    if subprocess.run(command, env=quiet, check=False).returncode != 0:
        raise Unusable(f"{' '.join(command)} failed")
    _need_compiler()


def _compiles(text: str) -> bool:
    command = ["gcc", "-fsyntax-only", "-x", "c", "-"]
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, check=False
    )
    return done.returncode == 0


def _compile(name: str, directory: Path) -> Path:
    source, program = SOURCES / f"{name}.c", directory / name
    if program.exists() and program.stat().st_mtime >= source.stat().st_mtime:
        return program
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o"]
    command += [str(program), str(source), *_LIBRARIES[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unusable(f"{source}: gcc failed:\n{done.stderr}")
    return program


class FakeSes:
    """`with FakeSes(tools, certificate, delay_ms=50) as ses`: answers at `ses.url`.

    `faults`: what it answers instead, each with its percentage of all calls, such as
    "throttle=30,reset=1". `far`: its delay is its distance, which TCP and TLS have to
    go as well.
    """

    def __init__(
        self,
        tools: Tools,
        certificate: Path,
        *,
        delay_ms: float,
        faults: str = "",
        far: bool = False,
    ) -> None:
        self._command = [str(tools.ses), "--cert", str(certificate)]
        self._command += ["--delay-ms", f"{delay_ms:g}"]
        self._command += ["--faults", faults] if faults else []
        self._command += ["--far"] if far else []
        self._cores = tools.cores.tools

    def __enter__(self) -> Self:
        with on_core(self._cores):
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        try:
            self.port: int = self._read()["port"]
        except Unusable:
            self._process.communicate()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its stdin ends it

    @property
    def url(self) -> str:
        """What `endpointUrl` is to be."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far."""
        return cpu_seconds(self._process.pid)

    def counts(self) -> dict[str, int]:
        """What it has counted since its start."""
        assert self._process.stdin is not None
        self._process.stdin.write("counts\n")
        return self._read()

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unusable(f"the fake SES ended with {self._process.wait()}")
        found: dict[str, int] = json.loads(line)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the generator is to send; `seconds` and `mails` bound it together."""

    port: int
    file: Path
    sessions: int = 1
    seconds: float = 0
    mails: int = 0
    per_connection: int = 0
    pipelining: bool = False
    large_file: Path | None = None
    large_sessions: int = 0
    latencies: Path | None = None

    @classmethod
    def of(cls, case: Case, *, port: int, file: Path, seconds: float) -> Load:
        """The small mails of `case`."""
        return cls(
            port=port,
            file=file,
            sessions=case.sessions,
            seconds=seconds,
            per_connection=case.per_connection,
            pipelining=case.pipelining,
        )

    @property
    def words(self) -> list[str]:
        """The generator's arguments."""
        words = ["--port", str(self.port), "--file", str(self.file)]
        words += ["--sessions", str(self.sessions), "--seconds", f"{self.seconds:g}"]
        words += ["--mails", str(self.mails)]
        words += ["--per-connection", str(self.per_connection)]
        if self.pipelining:
            words += ["--pipelining"]
        if self.large_file is not None:
            words += ["--large-file", str(self.large_file)]
            words += ["--large-sessions", str(self.large_sessions)]
        if self.latencies is not None:
            words += ["--latencies", str(self.latencies)]
        return words


def send(tools: Tools, load: Load) -> dict[str, Any]:
    """Run the generator to its end; give what it counted. Raises Unusable."""
    before = _children_seconds()
    try:
        with on_core(tools.cores.tools):
            done = subprocess.run(
                [str(tools.load), "run", *load.words],
                capture_output=True,
                text=True,
                check=False,
                timeout=load.seconds + _PATIENCE,
            )
    except subprocess.TimeoutExpired as error:
        raise Unusable("the generator did not come to an end") from error
    if done.returncode != 0:
        raise Unusable(done.stderr.strip() or f"the generator: {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    found["cpu_seconds"] = _children_seconds() - before
    return found


def _children_seconds() -> float:
    used = os.times()
    return used.children_user + used.children_system


@contextmanager
def idle(tools: Tools, port: int, connections: int) -> Iterator[int]:
    """Hold idle connections; give how many the relay took."""
    command = [str(tools.load), "idle", "--port", str(port)]
    command += ["--connections", str(connections)]
    with on_core(tools.cores.tools):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Unusable(f"the generator ended with {process.wait()}")
        yield json.loads(line)["held"]
    finally:
        process.communicate()
