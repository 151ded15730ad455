"""Keeps one case going, so that a profiler can look at the relay meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench import tools
from bench.cases import Case
from bench.mails import write_mails
from bench.measure import WARM_UP, Bench
from bench.relays import Relay
from bench.tools import Load, Tools


def hold(
    made: Tools,
    directory: Path,
    relay: Relay,
    case: Case,
    *,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    """Serve `case` for `seconds`, and say which process to look at."""
    with Bench(made, directory).running(relay, case) as (running, _, place):
        file, _ = write_mails(case, place)
        load = Load.of(case, port=running.port, file=file, seconds=WARM_UP)
        tools.send(made, load)
        say(f"{relay.name}: process {running.pid}, {seconds:g} s of {case.name}")
        load = Load.of(case, port=running.port, file=file, seconds=seconds)
        heard = tools.send(made, load)
    say(f"{heard['mails']} mails, {heard['mails_per_second']:.0f}/s")
