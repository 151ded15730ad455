"""A result as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.cases import Case
from bench.figures import Spread
from bench.measure import DISTURBED, Footprint
from bench.relays import BASELINE, FLOOR
from bench.result import Result, Run

_MEGABYTE = 1_000_000
_FULL = 0.97  # of a core: whoever is there is the one that all wait for


def table(result: Result) -> str:
    """All figures of a result, case by case."""
    blocks = [_case(result, case) for case in _cases(result.runs)]
    if result.footprints:
        blocks.append(_footprints(result.footprints))
    if durability := _durability(result):
        blocks.append(durability)
    return "\n\n".join(blocks)


def _cases(runs: Iterable[Run]) -> list[Case]:
    return list(dict.fromkeys(run.case for run in runs))


def _case(result: Result, case: Case) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "relay",
            "mails/s",
            "CPU ms/mail",
            "least",
            "spread",
            "times less",
            "by least",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "peak MB",
            "core",
            "tools",
            "remarks",
        )
    ]
    runs = [run for run in result.runs if run.case == case]
    plain = result.baseline(case)
    if plain is not None and plain.case != case:
        runs.append(plain)
    for run in runs:
        if run.failed and not run.samples:
            rows.append((run.relay, *[""] * 12, run.failed))
        else:
            rows.append(_row(result, run, case))
    return f"{case.name}\n{_aligned(rows)}"


def _row(result: Result, run: Run, case: Case) -> tuple[str, ...]:
    cpu = run.spread("cpu_ms")
    parts = result.against_baseline(run, "cpu_ms")
    less = by_least = ""
    baseline = result.baseline(run.case)
    if baseline and parts and run.relay != BASELINE.name and not case.mixed:
        less = f"{1 / Spread.of(parts).median:.2f}"
        by_least = f"{baseline.spread('cpu_ms').low / cpu.low:.2f}"
    return (
        run.relay,
        f"{run.spread('mails_per_second').median:.0f}",
        "" if case.mixed else f"{cpu.median:.3f}",
        "" if case.mixed else f"{cpu.low:.3f}",
        "" if case.mixed else f"{cpu.share:.0%}",
        less,
        by_least,
        f"{run.spread('p50_ms').median:.1f}",
        f"{run.spread('p95_ms').median:.1f}",
        f"{run.spread('p99_ms').median:.1f}",
        f"{run.spread('peak').median / _MEGABYTE:.0f}",
        f"{run.spread('relay_load').median:.0%}",
        f"{run.spread('tools_load').median:.0%}",
        _remarks(run, case),
    )


def _remarks(run: Run, case: Case) -> str:
    said = []
    if run.case != case:
        said.append(f"in: {run.case.name}")
    if errors := sum(sample.errors for sample in run.samples):
        said.append(f"{errors} errors")
    if queued := sum(sample.queued for sample in run.samples):
        said.append(f"{queued} of {sum(s.mails for s in run.samples)} queued")
    if run.spread("tools_load").median > _FULL:
        said.append("bound by the tools")
    if (others := run.spread("others_load").high) > DISTURBED:
        said.append(f"up to {others:.0%} of the core went to others")
    if case.mixed:
        large = sum(sample.large_mails for sample in run.samples)
        slowest = run.spread("large_max_ms").median
        said.append(f"{large} large mails, slowest {slowest:.0f} ms")
        said.append(f"slowest small {run.spread('max_ms').median:.0f} ms")
    if run.failed:
        said.append(run.failed)
    return "; ".join(said)


def _footprints(footprints: dict[str, Footprint]) -> str:
    numbers = sorted({n for one in footprints.values() for n in one.with_connections})
    rows = [
        (
            "relay",
            "first 220 s",
            "spread",
            "idle MB",
            *(f"{number} idle MB" for number in numbers),
            "kB each",
            "remarks",
        )
    ]
    for name, one in footprints.items():
        start = Spread.of(one.seconds_to_220)
        most = max(one.with_connections, default=0)
        each = (one.with_connections[most] - one.idle) / max(one.held[most], 1)
        remarks = [
            f"{n - taken} of {n} refused" for n, taken in one.held.items() if taken < n
        ]
        if one.others_load > DISTURBED:
            remarks.append(f"{one.others_load:.0%} of the core went to others")
        rows.append(
            (
                name,
                f"{start.median:.3f}",
                f"{start.share:.0%}",
                f"{one.idle / _MEGABYTE:.1f}",
                *(f"{one.with_connections[n] / _MEGABYTE:.1f}" for n in numbers),
                f"{each / 1000:.1f}",
                "; ".join(remarks),
            )
        )
    return f"start and memory\n{_aligned(rows)}"


def _durability(result: Result) -> str:
    """What the queue costs, wherever a case was run with and without it.

    Repeat by repeat, as those of one number were measured one after the other.
    """
    rows = [("relay", "case", "throughput", "CPU ms/mail", "p50 ms", "p99 ms")]
    for run in result.runs:
        none = result.run(run.relay, replace(run.case, queue="none"))
        if run.case.queue == "none" or none is None or not run.samples:
            continue
        if run.relay in (BASELINE.name, FLOOR.name):  # they queue nothing
            continue
        pairs = list(zip(run.samples, none.samples, strict=False))
        throughput = [
            mine.mails_per_second / its.mails_per_second - 1 for mine, its in pairs
        ]
        rows.append(
            (
                run.relay,
                none.case.name,
                _added(throughput, "+.1%"),
                _added([mine.cpu_ms - its.cpu_ms for mine, its in pairs], "+.3f"),
                _added([mine.p50_ms - its.p50_ms for mine, its in pairs], "+.2f"),
                _added([mine.p99_ms - its.p99_ms for mine, its in pairs], "+.2f"),
            )
        )
    if len(rows) == 1:
        return ""
    return (
        f"what the queue adds (median, least and most of the repeats)\n{_aligned(rows)}"
    )


def _added(values: Sequence[float], form: str) -> str:
    spread = Spread.of(values)
    return f"{spread.median:{form}} [{spread.low:{form}} {spread.high:{form}}]"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i in (0, last) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
