"""What the page costs the mail path: `python -m bench.page`, with five pages open.

The relay without page and counters, with them and nobody who looks, and with pages
open; in turns, so that what else the machine does meanwhile meets all of them.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases import Case
from bench.measure import Bench, Failed, Sample
from bench.relays import RELAY, Relay, free_port
from bench.tools import BUILD, build

WITHOUT, CLOSED, OPEN = "without a page", "no page open", "pages open"
FIGURES = (("mails_per_second", "mails/s", 0), ("cpu_ms", "ms of CPU a mail", 3))


def main(words: Sequence[str]) -> int:
    """Measure, and print medians with what they differ by."""
    parser = argparse.ArgumentParser("python -m bench.page", description=__doc__)
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(words)
    case = Case(sessions=options.sessions)
    found: dict[str, list[Sample]] = {WITHOUT: [], CLOSED: [], OPEN: []}
    with TemporaryDirectory() as directory:
        bench = Bench(build(BUILD), Path(directory))
        for turn in range(options.repeats):
            for kind in (found, reversed(found))[turn % 2]:
                pages = options.pages if kind == OPEN else 0
                sample = _sample(bench, case, kind, pages, options.seconds)
                found[kind].append(sample)
    print(f"{case.name}, {options.pages} pages, {options.repeats} turns")
    print(_table(found))
    return 0


def _sample(bench: Bench, case: Case, kind: str, pages: int, seconds: float) -> Sample:
    if kind == WITHOUT:
        return bench.sample(RELAY, case, seconds=seconds)
    port = free_port()
    words = ("env", f"RELAY_WEB__LISTEN=127.0.0.1:{port}", *RELAY.command)
    with _opened(port, pages):
        return bench.sample(Relay("page", words), case, seconds=seconds)


@contextmanager
def _opened(port: int, pages: int) -> Iterator[None]:
    """Have so many pages open. Raises Failed where one was told nothing."""
    command = [sys.executable, "-m", "bench.open_pages", str(port), str(pages)]
    if not pages:
        yield
        return
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reading:
        try:
            yield
        finally:
            told, _ = reading.communicate()
    if not (told.strip().isdecimal() and int(told)):
        raise Failed("a page was told nothing")


def _table(found: dict[str, list[Sample]]) -> str:
    """Medians, what they are against those before, and how far the samples lie."""
    lines = []
    for figure, unit, digits in FIGURES:
        before = None
        for kind, samples in found.items():
            values = sorted(getattr(sample, figure) for sample in samples)
            middle = statistics.median(values)
            against = "" if before is None else f"  {(middle / before - 1):+7.1%}"
            spread = f"{values[0]:.{digits}f} to {values[-1]:.{digits}f}"
            lines.append(
                f"{kind:15} {middle:8.{digits}f} {unit:17} ({spread}){against}"
            )
            before = middle
    others = [one.others_load for samples in found.values() for one in samples]
    lines.append(f"others took {statistics.median(others):.0%} of the relay's core")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
