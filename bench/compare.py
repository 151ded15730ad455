"""Two results side by side: what changed beyond the noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from bench.figures import Spread
from bench.measure import DISTURBED
from bench.relays import BASELINE
from bench.result import Result, Run

# Repeats that happen to lie close together must not make a figure of a trifle.
TRIFLE = 0.03
_STARTS_TRIFLE = 0.05


class Verdict(Enum):
    """What two spreads of one figure say about each other."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "within the noise"
    UNKNOWN = "not to be told"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one relay in one case, before and after."""

    relay: str
    place: str  # the case, or what else it was measured in
    figure: str
    before: Spread
    after: Spread
    verdict: Verdict

    @property
    def share(self) -> float:
        """By how much the median changed."""
        if not self.before.median:
            return 0.0
        return self.after.median / self.before.median - 1


def verdict(
    before: Spread, after: Spread, *, more_is_better: bool, trifle: float = TRIFLE
) -> Verdict:
    """Tell better from worse where the repeats of both do not overlap.

    And only where the medians lie further apart than the repeats of either do by
    half: one lucky repeat of three is no change.
    """
    apart = before.high < after.low or after.high < before.low
    difference = abs(after.median - before.median)
    noise = max(before.high - before.low, after.high - after.low) / 2
    if not apart or difference <= max(noise, trifle * abs(before.median)):
        return Verdict.SAME
    return (
        Verdict.BETTER
        if (after.median > before.median) == more_is_better
        else Verdict.WORSE
    )


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    title: str
    more_is_better: bool
    # As a part of the baseline's: the machine may be busier on one day, and both
    # suffer alike. Memory is the same on a busy machine.
    relative: bool = True
    per_mail: bool = False
    # Tells nothing while others have a part of the core; CPU still does.
    wall_clock: bool = False


_FIGURES = (
    _Figure("cpu_ms", "CPU per mail", more_is_better=False, per_mail=True),
    _Figure(
        "mails_per_second",
        "mails/s",
        more_is_better=True,
        per_mail=True,
        wall_clock=True,
    ),
    _Figure("p50_ms", "p50", more_is_better=False, wall_clock=True),
    _Figure("p99_ms", "p99", more_is_better=False, wall_clock=True),
    _Figure("peak", "peak memory", more_is_better=False, relative=False),
)


def compare(before: Result, after: Result) -> list[Change]:
    """All figures that both results have."""
    return [*_runs(before, after), *_footprints(before, after)]


def _runs(before: Result, after: Result) -> Iterator[Change]:
    for old in before.runs:
        new = after.run(old.relay, old.case)
        if new is None or not old.samples:
            continue
        for figure in _FIGURES:
            if old.case.mixed and figure.per_mail:
                continue
            was, now, title = _spreads(before, old, after, new, figure)
            said = verdict(was, now, more_is_better=figure.more_is_better)
            if not (_judged(old, figure) and _judged(new, figure)):
                said = Verdict.UNKNOWN
            yield Change(old.relay, old.case.name, title, was, now, said)


def _judged(run: Run, figure: _Figure) -> bool:
    """One repeat has no spread, and others' work makes times and rates of its own."""
    disturbed = run.spread("others_load").median > DISTURBED
    return len(run.samples) > 1 and not (figure.wall_clock and disturbed)


def _spreads(
    before: Result, old: Run, after: Result, new: Run, figure: _Figure
) -> tuple[Spread, Spread, str]:
    if figure.relative and old.relay != BASELINE.name:
        was = before.against_baseline(old, figure.name)
        now = after.against_baseline(new, figure.name)
        if was and now:
            return Spread.of(was), Spread.of(now), f"{figure.title} / baseline's"
    return old.spread(figure.name), new.spread(figure.name), figure.title


def _footprints(before: Result, after: Result) -> Iterator[Change]:
    for relay, old in before.footprints.items():
        new = after.footprints.get(relay)
        if new is None:
            continue
        figures: dict[str, tuple[list[float], list[float]]] = {
            "first 220": (old.seconds_to_220, new.seconds_to_220),
            "idle memory": ([old.idle], [new.idle]),
        }
        for number in old.with_connections.keys() & new.with_connections.keys():
            figures[f"memory with {number} idle"] = (
                [old.with_connections[number]],
                [new.with_connections[number]],
            )
        for name, (was, now) in sorted(figures.items()):
            one, other = Spread.of(was), Spread.of(now)
            # Memory was looked at once, so a change has to show by its size alone.
            said = verdict(one, other, more_is_better=False, trifle=_STARTS_TRIFLE)
            if (
                name == "first 220"
                and max(old.others_load, new.others_load) > DISTURBED
            ):
                said = Verdict.UNKNOWN
            yield Change(relay, "start and memory", name, one, other, said)


def text(changes: list[Change], *, everything: bool = False) -> str:
    """What changed, one line each; and how much did not."""
    lines = []
    for change in changes:
        if change.verdict not in (Verdict.BETTER, Verdict.WORSE) and not everything:
            continue
        lines.append(
            f"{change.verdict.value:>16}  {change.share:+7.1%}  {change.relay}: "
            f"{change.figure}: {_shown(change.before)} -> {_shown(change.after)}  "
            f"({change.place})"
        )
    verdicts = [change.verdict for change in changes]
    same, unknown = verdicts.count(Verdict.SAME), verdicts.count(Verdict.UNKNOWN)
    lines.append(f"{same} of {len(changes)} figures did not change beyond the noise")
    if unknown:
        lines.append(
            f"{unknown} cannot be judged: measured once, or beside others on the core"
        )
    return "\n".join(lines)


def _shown(spread: Spread) -> str:
    return f"{spread.median:.4g} [{spread.low:.4g} to {spread.high:.4g}]"
