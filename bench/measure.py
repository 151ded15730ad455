"""One measurement: a relay in a fresh process, a fake SES, and the generator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import tools
from bench.cases import Case
from bench.certificate import make_certificate
from bench.mails import write_mails
from bench.process import allow_open_files, core_seconds, cpu_seconds, memory
from bench.relays import NotStarted, Relay, Running, free_port
from bench.settings import write_settings
from bench.tools import FakeSes, Load, Tools

WARM_UP = 1.0  # seconds; TLS with SES is set up and caches are filled meanwhile
_SETTLE = 0.5  # seconds until memory is looked at
DISTURBED = 0.1  # of the relay's core that went to others: figures are worth less
IDLE_CONNECTIONS = (1000, 5000)


class Failed(Exception):  # noqa: N818 - a statement about the measurement
    """There is no figure; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run of one case came to. Times in milliseconds, memory in bytes."""

    mails: int
    mails_per_second: float
    cpu_ms: float  # of the relay, per mail
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    peak: int
    queued: int  # of the mails: answered "queued" instead of SES' own answer
    relay_load: float  # share of its core that the relay used
    tools_load: float  # the same of the generator and the fake SES
    others_load: float  # share of the relay's core that went to somebody else
    errors: int
    ses_connections: int
    large_mails: int
    large_max_ms: float

    def as_json(self) -> dict[str, Any]:
        """The sample as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Start and memory of a relay that has nothing to do; memory in bytes."""

    seconds_to_220: list[float]
    idle: int
    with_connections: dict[int, int]  # by their number
    held: dict[int, int]  # that it really took
    others_load: float  # share of the relay's core that went to others at its starts

    def as_json(self) -> dict[str, Any]:
        """The footprint as a JSON object."""
        return asdict(self)


class Bench:
    """Measures relays; keeps its files in a directory of its own for each run."""

    def __init__(self, made: Tools, directory: Path, *, drain: float = 20.0) -> None:
        """`drain`: seconds that a queue may need to send what it holds."""
        self.tools = made
        self._drain = drain
        self._directory = directory
        self._certificate = directory / "certificate.pem"
        make_certificate(self._certificate)
        allow_open_files()

    def sample(self, relay: Relay, case: Case, *, seconds: float) -> Sample:
        """Run one case; raises Failed."""
        with self.running(relay, case) as (running, ses, directory):
            file, large_file = write_mails(case, directory)
            load = Load.of(case, port=running.port, file=file, seconds=WARM_UP)
            warm = tools.send(self.tools, load)
            if warm["mails"] == 0:
                raise Failed(f"no mail was accepted: {warm['replies'] or 'no reply'}")
            if not case.faults:
                self._settle(ses, warm["mails"])
            load = replace(
                load,
                seconds=seconds,
                large_file=large_file,
                large_sessions=case.large_sessions,
            )
            sent = ses.counts()["sent"]
            relay_before = cpu_seconds(running.pid)
            ses_before = ses.cpu_seconds
            core_before = core_seconds(self.tools.cores.relay)
            start = time.monotonic()
            heard = tools.send(self.tools, load)
            large = heard.get("large", {"mails": 0, "max_ms": 0.0})
            accepted = heard["mails"] + large["mails"]
            # What a queue has answered and not sent yet is part of the cost; but where
            # SES fails, some of it waits for longer than anybody measures.
            if not case.faults:
                self._settle(ses, sent + accepted)
            used = cpu_seconds(running.pid) - relay_before
            core_used = core_seconds(self.tools.cores.relay) - core_before
            tools_used = heard["cpu_seconds"] + ses.cpu_seconds - ses_before
            taken = time.monotonic() - start
            counts = ses.counts()
            peak = memory(running.pid).peak
        _check(heard, None if case.faults else counts["sent"] - sent, accepted)
        return Sample(
            mails=heard["mails"],
            mails_per_second=heard["mails_per_second"],
            cpu_ms=used * 1000 / heard["mails"],
            p50_ms=heard["p50_ms"],
            p95_ms=heard["p95_ms"],
            p99_ms=heard["p99_ms"],
            max_ms=heard["max_ms"],
            peak=peak,
            queued=heard["queued"],
            relay_load=used / taken,
            tools_load=tools_used / taken,
            others_load=max(core_used - used, 0) / taken,
            errors=_errors(heard),
            ses_connections=counts["connections"],
            large_mails=large["mails"],
            large_max_ms=large["max_ms"],
        )

    def _settle(self, ses: FakeSes, sent: int) -> None:
        """Wait until SES has all of `sent`, as far as it gets them at all."""
        until = time.monotonic() + self._drain
        while ses.counts()["sent"] < sent and time.monotonic() < until:
            time.sleep(0.005)  # it has no way to call us

    def footprint(
        self,
        relay: Relay,
        *,
        starts: int,
        connections: Sequence[int] = IDLE_CONNECTIONS,
    ) -> Footprint:
        """Start `relay` some times, then give it idle connections; raises Failed.

        With a queue, because that is how people run it; the spool is a new one.
        """
        case = Case(sessions=1, queue="sqlite")
        times = []
        others = 0.0

        @contextmanager
        def started() -> Iterator[Running]:
            nonlocal others
            before = core_seconds(self.tools.cores.relay)
            with self.running(relay, case) as (running, _, _):
                core = core_seconds(self.tools.cores.relay) - before
                others += max(core - cpu_seconds(running.pid), 0)
                times.append(running.seconds_to_220)
                yield running

        for _ in range(starts - 1):
            with started():
                pass
        with started() as running:
            time.sleep(_SETTLE)
            idle = memory(running.pid).resident
            with_connections, held = {}, {}
            for number in connections:
                with tools.idle(self.tools, running.port, number) as taken:
                    held[number] = taken
                    time.sleep(_SETTLE)
                    with_connections[number] = memory(running.pid).resident
        return Footprint(
            times, idle, with_connections, held, min(others / sum(times), 1.0)
        )

    @contextmanager
    def running(
        self,
        relay: Relay,
        case: Case,
        *,
        before: Callable[[Path], None] = lambda directory: None,
    ) -> Iterator[tuple[Running, FakeSes, Path]]:
        """Serve `case` by `relay` until the block ends; raises Failed.

        Gives the relay, its SES, and the directory that their files are in, which
        `before` may put something in.
        """
        case = relay.case(case)
        with (
            TemporaryDirectory(dir=self._directory) as name,
            FakeSes(
                self.tools,
                self._certificate,
                delay_ms=case.delay_ms,
                faults=case.faults,
                far=case.far,
            ) as ses,
        ):
            directory = Path(name)
            port = free_port()
            config = write_settings(case, directory, port=port, ses_url=ses.url)
            before(directory)
            try:
                with Running(
                    relay,
                    directory=directory,
                    certificate=self._certificate,
                    port=port,
                    ses_url=ses.url,
                    config=config,
                    cores=self.tools.cores,
                ) as running:
                    yield running, ses, directory
            except NotStarted as error:
                raise Failed(f"it did not start: {error}") from error
            except tools.Unusable as error:
                raise Failed(str(error)) from error


def _check(heard: dict[str, Any], sent: int | None, accepted: int) -> None:
    """A relay that accepts what SES never gets is fast for the wrong reason."""
    if heard["mails"] == 0:
        raise Failed(f"no mail was accepted: {heard['replies'] or heard['errors']}")
    if sent is not None and sent < accepted:
        raise Failed(f"{accepted} mails were accepted, and SES got {sent}")


def _errors(heard: dict[str, Any]) -> int:
    errors = dict(heard["errors"])
    del errors["refused_commands"]  # their replies are among the others
    refused = sum(n for code, n in heard["replies"].items() if code != "250")
    return int(refused + sum(errors.values()))
