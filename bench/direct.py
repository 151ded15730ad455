"""What a queue costs mail that SES takes at once: `python -m bench.direct`.

A relay without a queue and one with each kind run side by side, and get their mails in
turns of part of a second, since a machine that others use changes from one second to
the next. Each turn is compared with that of the relay without a queue beside it. The
relays are started anew some times: where a process lies in memory counts, too.
With `--instructions` thousands of instructions instead of time, of so many mails.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import instructions, tools
from bench.cases import Case
from bench.fleet import store
from bench.mails import write_mails
from bench.measure import Bench
from bench.process import cpu_seconds
from bench.relays import RELAY, Relay
from bench.tools import BUILD, Load, build
from relay.fleet.aws import FleetSettings

ENGINES = ("none", "sqlite", "sqs")
DELAY_MS = 50  # until SES answers
NONE = 'engine = "none"'
SHARED = """engine = "sqs"
url = "{place.url}"
bucket = "{place.bucket}"
region = "{place.region}"
endpointUrl = "{place.endpoint_url}"
answerWithin = 60
"""
WARM_UP = 1.0  # seconds
IDLE = 3.0  # seconds in which a relay with nothing to do is watched
SETTLES = 0.1  # seconds after a turn, until its ends are told
LONGEST = 300.0  # seconds of one count of instructions
IDLE_COUNTED = 40.0  # seconds; under valgrind its mails take as long


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn of one relay came to."""

    cpu_ms: float  # a mail, less what the relay needs with nothing to do
    mails_per_second: float
    p50_ms: float


@dataclass(frozen=True, slots=True)
class Side:
    """A relay that runs, what it is given, and what it needs with nothing to do."""

    pid: int
    load: Load
    idle: float  # seconds of processor time in a second

    def turn(self, made: tools.Tools) -> Turn:
        """Give it its load, and see what that took."""
        began, used = time.monotonic(), cpu_seconds(self.pid)
        heard = tools.send(made, self.load)
        time.sleep(SETTLES)
        used = cpu_seconds(self.pid) - used - self.idle * (time.monotonic() - began)
        if heard["queued"]:
            raise SystemExit(f"not all mails went out at once: {heard}")
        cpu_ms = used * 1000 / heard["mails"]
        return Turn(cpu_ms, heard["mails_per_second"], heard["p50_ms"])


def main(words: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser("python -m bench.direct", description=__doc__)
    parser.add_argument("--starts", type=int, default=6, help="of each relay")
    parser.add_argument("--turns", type=int, default=10, help="after each start")
    parser.add_argument("--seconds", type=float, default=0.4, help="of a turn")
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--size", type=int, default=4000, help="bytes of a mail")
    parser.add_argument("--per-connection", type=int, default=0, help="mails; 0: many")
    parser.add_argument("--delay-ms", type=int, default=DELAY_MS, help="of SES")
    parser.add_argument(
        "--instructions",
        type=int,
        metavar="MAILS",
        help="count them with valgrind, for a machine that has other work",
    )
    options = parser.parse_args(words)
    case = Case(
        sessions=options.sessions,
        size=options.size,
        per_connection=options.per_connection,
        delay_ms=options.delay_ms,
    )
    made = build()
    with (
        TemporaryDirectory(prefix="direct-", dir=BUILD) as directory,
        store(0) as place,
    ):
        bench = Bench(made, Path(directory))
        if options.instructions:
            _count(bench, case, place, options.instructions)
            return 0
        found: dict[str, list[Turn]] = {engine: [] for engine in ENGINES}
        for _ in range(options.starts):
            with ExitStack() as stack:
                sides = {
                    engine: stack.enter_context(
                        _side(bench, case, engine, place, options.seconds)
                    )
                    for engine in ENGINES
                }
                for _ in range(options.turns):
                    for engine in random.sample(ENGINES, len(ENGINES)):
                        found[engine].append(sides[engine].turn(made))
    _print(found)
    return 0


@contextmanager
def _side(
    bench: Bench, case: Case, engine: str, place: FleetSettings, seconds: float
) -> Iterator[Side]:
    with _running(bench, RELAY, case, engine, place) as (pid, load):
        tools.send(bench.tools, replace(load, seconds=WARM_UP))
        before = cpu_seconds(pid)
        time.sleep(IDLE)
        idle = (cpu_seconds(pid) - before) / IDLE
        yield Side(pid, replace(load, seconds=seconds), idle)


def _print(found: dict[str, list[Turn]]) -> None:
    without = found["none"]
    for engine, turns in found.items():
        cpu = [turn.cpu_ms for turn in turns]
        said = (
            f"{statistics.median(cpu):.3f} ms a mail ({min(cpu):.3f} to {max(cpu):.3f})"
        )
        if engine != "none":
            said += f", {_more(turns, without)}"
        print(f"{engine:6} {said}")
    print(f"{len(without)} turns of each, beside those of none")


def _more(turns: Sequence[Turn], without: Sequence[Turn]) -> str:
    """What these come to beside others: processor time, throughput, waiting."""
    pairs = list(zip(turns, without, strict=True))
    cpu = [one.cpu_ms / other.cpu_ms - 1 for one, other in pairs]
    rate = [one.mails_per_second / other.mails_per_second - 1 for one, other in pairs]
    p50 = [one.p50_ms - other.p50_ms for one, other in pairs]
    error = statistics.stdev(cpu) / len(cpu) ** 0.5 if cpu[1:] else 0.0
    return (
        f"{statistics.median(cpu):+.1%} (mean {statistics.mean(cpu):+.1%}, its error "
        f"{error:.1%}); mails/s {statistics.median(rate):+.1%}, "
        f"p50 {statistics.median(p50):+.2f} ms"
    )


def _count(bench: Bench, case: Case, place: FleetSettings, mails: int) -> None:
    """Print thousands of instructions a mail, by the engine."""
    relay = instructions.counted(RELAY)
    counts: dict[str, float] = {}
    for engine in ENGINES:
        with _running(bench, relay, case, engine, place) as (pid, of_case):
            load = replace(of_case, seconds=LONGEST)
            tools.send(bench.tools, replace(load, mails=mails // 5))
            instructions.begin(pid)
            began, start = time.monotonic(), instructions.instructions(pid)
            time.sleep(IDLE_COUNTED)
            between = instructions.instructions(pid)
            idled, began = time.monotonic() - began, time.monotonic()
            heard = tools.send(bench.tools, replace(load, mails=mails))
            used = instructions.instructions(pid) - between
            used -= round((between - start) / idled * (time.monotonic() - began))
        if heard["queued"] or heard["mails"] < mails:
            raise SystemExit(f"not all mails went out at once: {heard}")
        counts[engine] = used / mails / 1000
        more = counts[engine] / counts["none"] - 1
        print(
            f"{engine:6} {counts[engine]:8.1f} thousand a mail, {more:+.1%}", flush=True
        )


@contextmanager
def _running(
    bench: Bench, relay: Relay, case: Case, engine: str, place: FleetSettings
) -> Iterator[tuple[int, Load]]:
    """A relay with this queue: its process, and what it is to be given."""
    if engine == "sqlite":
        case = replace(case, queue="sqlite")
    share = partial(_share, place=place if engine == "sqs" else None)
    with bench.running(relay, case, before=share) as (running, _, directory):
        file, _ = write_mails(case, directory)
        yield running.pid, Load.of(case, port=running.port, file=file, seconds=0.0)


def _share(directory: Path, place: FleetSettings | None) -> None:
    if place is not None:
        file = directory / "bench-config.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace(NONE, SHARED.format(place=place)), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
