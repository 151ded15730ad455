"""What a session will do, in which order, and how long that takes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.measure import DISTURBED, WARM_UP, Bench, Failed, Sample
from bench.relays import OWN, Relay
from bench.result import Result, Run

_AROUND = 1.0  # seconds around each sample: start, stop, mails under way at the end
_FOOTPRINT = 6.0  # seconds for the idle connections
_START = 0.6
_MIXED = 6.0
_AGAIN = 0.4  # of all samples

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cases of a session, and its relays: the two of ours are always there."""

    cases: Sequence[Case]
    relays: Sequence[Relay]
    repeats: int
    seconds: float  # of each sample
    starts: int  # of each relay, to time the first 220; 0: no footprints
    # Each row has its own baseline, measured beside it. Costs time.
    beside: bool = True

    @property
    def pairs(self) -> list[tuple[Case, Relay]]:
        """Each sample of one repeat, so ordered that noise hits all relays alike.

        A relay without features meets a case with them as the plain one; unless
        `beside`, only where that is not among the cases.
        """
        pairs = []
        for case in self.cases:
            met_elsewhere = case != case.plain and case.plain in self.cases
            pairs += [
                (case, relay)
                for relay in self.relays
                if relay.features or self.beside or not met_elsewhere
            ]
        return pairs

    def seconds_of(self, case: Case) -> float:
        """How long one sample of `case` is; a few large mails need their time."""
        return max(self.seconds, _MIXED) if case.mixed else self.seconds

    @property
    def expected_seconds(self) -> float:
        """About how long it takes."""
        samples = sum(
            WARM_UP + self.seconds_of(case) + _AROUND for case, _ in self.pairs
        )
        footprint = _FOOTPRINT + self.starts * _START if self.starts else 0
        return samples * self.repeats + len(self.relays) * footprint

    @property
    def longest_seconds(self) -> float:
        """About how long it takes where others disturb it."""
        return self.expected_seconds * (1 + _AGAIN)

    def describe(self) -> str:
        """The plan in words."""
        names = ", ".join(relay.name for relay in self.relays)
        usual, most = self.expected_seconds / 60, self.longest_seconds / 60
        lines = [
            f"{len(self.cases)} cases with {names};",
            f"{self.repeats} repeats of {self.seconds:g} s;",
            f"{usual:.1f} minutes, up to {most:.1f} on a machine that others use too:",
        ]
        lines += [f"  {case.name}" for case in self.cases]
        if self.starts:
            lines.append(f"  start ({self.starts} times) and idle memory")
        return "\n".join(lines)


def carry_out(plan: Plan, bench: Bench, say: Say) -> Result:
    """Measure all of the plan; what cannot be measured is noted, not fatal."""
    result = Result(_about(plan))
    samples: dict[tuple[Case, Relay], list[Sample]] = {}
    failures: dict[tuple[Case, Relay], str] = {}
    total, done = plan.repeats * len(plan.pairs), 0
    # A sample that others disturbed is taken once more, as long as this lasts: the
    # time that a session takes stays bounded.
    again = int(total * _AGAIN)
    for _ in range(plan.repeats):
        for case, relay in plan.pairs:
            done += 1
            if (case, relay) in failures:
                continue
            try:
                sample = bench.sample(relay, case, seconds=plan.seconds_of(case))
                if sample.others_load > DISTURBED and again > 0:
                    again -= 1
                    second = bench.sample(relay, case, seconds=plan.seconds_of(case))
                    sample = min(sample, second, key=lambda one: one.others_load)
            except Failed as failed:
                failures[case, relay] = str(failed)
                say(f"[{done}/{total}] {case.name}: {relay.name}: {failed}")
                continue
            samples.setdefault((case, relay), []).append(sample)
            say(
                f"[{done}/{total}] {case.name}: {relay.name}: "
                f"{sample.mails_per_second:.0f}/s, {sample.cpu_ms:.3f} ms"
            )
    for pair in plan.pairs:
        case, relay = pair
        result.runs.append(
            Run(relay.name, case, samples.get(pair, []), failures.get(pair, ""))
        )
    if plan.starts:
        for relay in plan.relays:
            say(f"start and idle memory: {relay.name}")
            try:
                result.footprints[relay.name] = bench.footprint(
                    relay, starts=plan.starts
                )
            except Failed as failed:
                say(f"{relay.name}: {failed}")
    return result


def _about(plan: Plan) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "repeats": plan.repeats,
        "seconds": plan.seconds,
        "relays": {relay.name: list(relay.command) for relay in plan.relays},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def with_own(relays: Sequence[Relay]) -> tuple[Relay, ...]:
    """`relays`, and the two that every session measures."""
    return (*relays, *OWN)
