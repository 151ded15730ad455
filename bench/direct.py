"""What a shared queue costs mail that SES takes at once: `python -m bench.direct`.

Two relays in turns, one without a queue and one with a shared one: processor time, or
with `--instructions` thousands of instructions, of so many mails, less what each needs
in as much time with nothing to do.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
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

DELAY_MS = 5  # until SES answers
NONE = 'engine = "none"'
SHARED = """engine = "sqs"
url = "{place.url}"
bucket = "{place.bucket}"
region = "{place.region}"
endpointUrl = "{place.endpoint_url}"
answerWithin = 60
"""
WARM_UP = 300  # mails
LONGEST = 300.0  # seconds of one run


@dataclass(frozen=True, slots=True)
class Measure:
    """What a mail needs, by what a process has `used`; `unit` is a thousandth of it.

    `idle`: seconds in which a relay with nothing to do is watched.
    """

    relay: Relay
    unit: str
    idle: float
    begin: Callable[[int], None]
    used: Callable[[int], float]


TIME = Measure(RELAY, "ms", 3.0, lambda pid: None, cpu_seconds)


def counting() -> Measure:
    """By instructions: millions of them, where TIME has seconds."""
    return Measure(
        instructions.counted(RELAY),
        "thousand instructions",
        40.0,  # its mails take as long, in which it polls twice
        instructions.begin,
        lambda pid: instructions.instructions(pid) / 1e6,
    )


def main(words: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser("python -m bench.direct", description=__doc__)
    parser.add_argument("--mails", type=int, default=3000, help="of each run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count them with valgrind, for a machine that has other work",
    )
    options = parser.parse_args(words)
    measure = counting() if options.instructions else TIME
    case = Case(sessions=options.sessions, delay_ms=DELAY_MS)
    found: dict[str, list[float]] = {"none": [], "sqs": []}
    made = build()
    with (
        TemporaryDirectory(prefix="direct-", dir=BUILD) as directory,
        store(0) as place,
    ):
        bench = Bench(made, Path(directory))
        for _ in range(options.repeats):
            for engine, costs in found.items():
                shared = place if engine == "sqs" else None
                costs.append(_cost(bench, measure, case, options.mails, shared))
    for engine, costs in found.items():
        least, most = min(costs), max(costs)
        middle = statistics.median(costs)
        print(f"{engine:5} {middle:.3f} {measure.unit} a mail ", end="")
        print(f"({least:.3f} to {most:.3f})")
    more = statistics.median(found["sqs"]) / statistics.median(found["none"]) - 1
    print(f"{more:+.1%}, {options.repeats} runs of {options.mails} mails in turns")
    return 0


def _cost(
    bench: Bench,
    measure: Measure,
    case: Case,
    mails: int,
    shared: FleetSettings | None,
) -> float:
    """Of a mail, in the measure's unit."""
    share = partial(_share, place=shared)
    with bench.running(measure.relay, case, before=share) as (running, _, directory):
        file, _ = write_mails(case, directory)
        load = Load.of(case, port=running.port, file=file, seconds=LONGEST)
        tools.send(bench.tools, replace(load, mails=WARM_UP))
        measure.begin(running.pid)
        idle = measure.used(running.pid)
        began = time.monotonic()
        time.sleep(measure.idle)
        before = measure.used(running.pid)
        idled = time.monotonic() - began
        began = time.monotonic()
        heard = tools.send(bench.tools, replace(load, mails=mails))
        used = measure.used(running.pid) - before
        seconds = time.monotonic() - began
    if heard["queued"] or heard["mails"] < mails:
        raise SystemExit(f"not all mails went out at once: {heard}")
    return (used - (before - idle) / idled * seconds) / mails * 1000


def _share(directory: Path, place: FleetSettings | None) -> None:
    if place is not None:
        file = directory / "bench-config.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace(NONE, SHARED.format(place=place)), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
