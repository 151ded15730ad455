"""What a shared queue costs mail that SES takes at once: `python -m bench.direct`.

Two relays in turns, one without a queue and one with a shared one: processor time of
so many mails, less what each needs in as much time with nothing to do.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import tools
from bench.cases import Case
from bench.fleet import store
from bench.mails import write_mails
from bench.measure import Bench
from bench.process import cpu_seconds
from bench.relays import RELAY
from bench.tools import BUILD, Load, build
from relay.fleet.aws import FleetSettings

CASE = Case(sessions=10, delay_ms=5)
NONE = 'engine = "none"'
SHARED = """engine = "sqs"
url = "{place.url}"
bucket = "{place.bucket}"
region = "{place.region}"
endpointUrl = "{place.endpoint_url}"
answerWithin = 60
"""
WARM_UP = 300  # mails
IDLE = 3.0  # seconds
LONGEST = 300.0  # seconds of one run


def main(words: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser("python -m bench.direct", description=__doc__)
    parser.add_argument("--mails", type=int, default=3000, help="of each run")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(words)
    found: dict[str, list[float]] = {"none": [], "sqs": []}
    made = build()
    with (
        TemporaryDirectory(prefix="direct-", dir=BUILD) as directory,
        store(0) as place,
    ):
        bench = Bench(made, Path(directory))
        for _ in range(options.repeats):
            for engine, times in found.items():
                shared = place if engine == "sqs" else None
                times.append(_cpu(bench, options.mails, shared))
    for engine, times in found.items():
        least, most = min(times), max(times)
        middle = statistics.median(times)
        print(f"{engine:5} {middle:.3f} ms a mail ({least:.3f} to {most:.3f})")
    more = statistics.median(found["sqs"]) / statistics.median(found["none"]) - 1
    print(f"{more:+.1%}, {options.repeats} runs of {options.mails} mails in turns")
    return 0


def _cpu(bench: Bench, mails: int, shared: FleetSettings | None) -> float:
    """Milliseconds of the relay for a mail."""
    share = partial(_share, place=shared)
    with bench.running(RELAY, CASE, before=share) as (running, _, directory):
        file, _ = write_mails(CASE, directory)
        load = Load.of(CASE, port=running.port, file=file, seconds=LONGEST)
        tools.send(bench.tools, replace(load, mails=WARM_UP))
        idle = cpu_seconds(running.pid)
        time.sleep(IDLE)
        before = cpu_seconds(running.pid)
        began = time.monotonic()
        heard = tools.send(bench.tools, replace(load, mails=mails))
        used = cpu_seconds(running.pid) - before
        seconds = time.monotonic() - began
    if heard["queued"] or heard["mails"] < mails:
        raise SystemExit(f"not all mails went out at once: {heard}")
    return (used - (before - idle) / IDLE * seconds) / mails * 1000


def _share(directory: Path, place: FleetSettings | None) -> None:
    if place is not None:
        file = directory / "bench-config.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace(NONE, SHARED.format(place=place)), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
