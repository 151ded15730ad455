"""What the page costs the mail path: `python -m bench.page`, with one page open.

The relay without page and counters, and with both and a reader of the event stream,
in turns, so that what else the machine does meanwhile meets both.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases import Case
from bench.measure import Bench, Sample
from bench.relays import RELAY, Relay, free_port
from bench.tools import BUILD, build

PATIENCE = 30.0  # seconds until the page has to be there


def main(words: Sequence[str]) -> int:
    """Measure, and print medians with what they differ by."""
    parser = argparse.ArgumentParser("python -m bench.page", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(words)
    port = free_port()
    page = Relay("page", ("env", f"RELAY_WEB__LISTEN=127.0.0.1:{port}", *RELAY.command))
    case = Case(sessions=options.sessions)
    found: dict[str, list[Sample]] = {RELAY.name: [], page.name: []}
    with TemporaryDirectory() as directory:
        bench = Bench(build(BUILD), Path(directory))
        for _ in range(options.repeats):
            found[RELAY.name].append(bench.sample(RELAY, case, seconds=options.seconds))
            with _reading(port) as read:
                found[page.name].append(
                    bench.sample(page, case, seconds=options.seconds)
                )
            if not read:
                print("the page was not read", file=sys.stderr)
                return 1
    print(case.name)
    for figure, unit in (("mails_per_second", "/s"), ("cpu_ms", " ms of CPU a mail")):
        without, with_page = (
            statistics.median(getattr(sample, figure) for sample in samples)
            for samples in found.values()
        )
        print(
            f"without {without:.3f}{unit}, with one page open {with_page:.3f}{unit}: "
            f"{(with_page / without - 1) * 100:+.1f} %"
        )
    return 0


@contextmanager
def _reading(port: int) -> Iterator[list[int]]:
    """Read the event stream as an open page does; gives what came, in bytes."""
    read: list[int] = []
    over = threading.Event()

    def follow() -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not over.is_set():
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/api/v1/events")
                response = connection.getresponse()
                while not over.is_set() and (line := response.readline()):
                    read.append(len(line))
            except (OSError, HTTPException):
                time.sleep(0.01)  # not there yet, or gone already
            finally:
                connection.close()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield read
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
