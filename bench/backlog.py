"""What a backlog costs: `python -m bench.backlog`, with 100,000 mails waiting.

New mail, codes, the page, `relay queue list` and the start, with an empty spool, with
mail that waits for its next try, and with mail that is due and leaves at the pace; in
turns, so that what else the machine does meanwhile meets all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import tools
from bench.cases import Case
from bench.mails import write_mails
from bench.measure import WARM_UP, Bench
from bench.process import cpu_seconds, memory
from bench.relays import RELAY, Relay, free_port
from bench.settings import SPOOL
from bench.tools import BUILD, Load, build
from relay.model.job import Job, Queued
from relay.model.mail import Mail
from relay.model.submission import Envelope, new_id
from relay.queue.sqlite import open_spool

EMPTY, WAITING, DUE = "empty", "waiting", "due"
PACE = 50  # mails a second of the case whose backlog is due
CONTENT = b"Subject: waits\r\n\r\n" + b"It waits for SES.\r\n" * 60
AT_ONCE = 500
DAY = 86_400.0


def main(words: Sequence[str]) -> int:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser("python -m bench.backlog", description=__doc__)
    parser.add_argument("--mails", type=int, default=100_000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(words)
    found: dict[str, dict[str, list[float]]] = {}
    with TemporaryDirectory(prefix="backlog-", dir=BUILD) as name:
        place = Path(name)
        spools = {EMPTY: None, WAITING: place / WAITING, DUE: place / DUE}
        for kind, spool in spools.items():
            if spool is not None:
                asyncio.run(_fill(spool, options.mails, due=kind == DUE))
        bench = Bench(build(BUILD), place)
        for _ in range(options.repeats):
            for kind, spool in spools.items():
                figures = found.setdefault(kind, {})
                for figure, value in _measured(bench, kind, spool, options).items():
                    figures.setdefault(figure, []).append(value)
    print(f"{options.mails} mails, {options.sessions} sessions, SES after 50 ms")
    print(_table(found))
    return 0


async def _fill(path: Path, mails: int, *, due: bool) -> None:
    """A spool with as many mails of low age that wait, or that are due."""
    async with open_spool(path, keep_sent=0, keep_failed=DAY) as queue:
        for start in range(0, mails, AT_ONCE):
            now = queue.now()
            await queue.put(
                [
                    Job(
                        id=new_id(),
                        number=0,
                        mail=Mail(
                            Envelope("app@acme.example", (_name(number),)), CONTENT
                        ),
                        accepted_at=now,
                        expires_at=now + 4 * DAY,
                        state=Queued(1, now if due else now + DAY),
                    )
                    for number in range(start, min(start + AT_ONCE, mails))
                ]
            )


def _name(number: int) -> str:
    return f"someone{number}@example.net"


def _measured(
    bench: Bench, kind: str, spool: Path | None, options: argparse.Namespace
) -> dict[str, float]:
    """One relay on a copy of the spool; times in milliseconds."""
    page = free_port()
    words = ["env", f"RELAY_WEB__LISTEN=127.0.0.1:{page}"]
    words += [f"RELAY_PACE__RATE={PACE}"] if kind == DUE else []
    relay = Relay(kind, (*words, *RELAY.command))
    case = Case(sessions=options.sessions, queue="sqlite")
    codes = Case(sessions=1, templated=True, queue="sqlite")
    figures: dict[str, float] = {}

    def with_spool(directory: Path) -> None:
        if spool is not None:
            shutil.copyfile(spool, directory / SPOOL)

    with bench.running(relay, case, before=with_spool) as (running, _, directory):
        figures["first 220"] = running.seconds_to_220 * 1000
        figures["ready"] = (running.seconds_to_220 + _until_ready(page)) * 1000
        for name, one in (("new mail", case), ("a code", codes)):
            file, _ = write_mails(one, directory)
            load = Load.of(one, port=running.port, file=file, seconds=WARM_UP)
            tools.send(bench.tools, load)
            used = cpu_seconds(running.pid)
            heard = tools.send(
                bench.tools,
                Load.of(one, port=running.port, file=file, seconds=options.seconds),
            )
            figures[f"{name}: p50"] = heard["p50_ms"]
            figures[f"{name}: p99"] = heard["p99_ms"]
            figures[f"{name}: CPU"] = (
                (cpu_seconds(running.pid) - used) * 1000 / heard["mails"]
            )
            figures[f"{name}: queued, %"] = 100 * heard["queued"] / heard["mails"]
        figures["the page's queue"] = _page(page)
        command = [sys.executable, "-m", "relay", "queue", "list", "--limit", "20"]
        command += ["-c", str(directory / "bench-config.toml")]
        start = time.monotonic()
        subprocess.run(command, check=True, capture_output=True, cwd=directory)
        figures["relay queue list"] = (time.monotonic() - start) * 1000
        figures["memory, MB"] = memory(running.pid).peak / 1e6
    return figures


def _until_ready(port: int) -> float:
    """Seconds until the page says that the relay is ready."""
    start = time.monotonic()
    while time.monotonic() < start + 30:
        line = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                return time.monotonic() - start
        except OSError:
            pass  # not there yet
        finally:
            line.close()
        time.sleep(0.002)
    raise SystemExit("the relay was not ready within 30 s")


def _page(port: int, times: int = 20) -> float:
    """The median of some looks at the queue, over one connection."""
    line = HTTPConnection("127.0.0.1", port, timeout=30)
    took = []
    for _ in range(times):
        start = time.monotonic()
        line.request("GET", "/api/v1/queue")
        line.getresponse().read()
        took.append((time.monotonic() - start) * 1000)
    line.close()
    return statistics.median(took)


def _table(found: dict[str, dict[str, list[float]]]) -> str:
    names = list(found[EMPTY])
    width = max(map(len, names))
    lines = [" " * width + "".join(f"{kind:>12}" for kind in found)]
    for name in names:
        medians = [statistics.median(figures[name]) for figures in found.values()]
        lines.append(f"{name:{width}}" + "".join(f"{one:12.1f}" for one in medians))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
