"""What a session of measurements found, in memory and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.figures import Spread
from bench.measure import Footprint, Sample
from bench.relays import BASELINE

_FORMAT = 1


class Unreadable(Exception):  # noqa: N818 - a statement about the file
    """The file holds no result of ours."""


@dataclass(frozen=True, slots=True)
class Run:
    """All repeats of one case with one relay, in order; or why there are none."""

    relay: str
    case: Case
    samples: list[Sample] = field(default_factory=list)
    failed: str = ""

    def values(self, figure: str) -> list[float]:
        """One figure of all repeats."""
        return [float(getattr(sample, figure)) for sample in self.samples]

    def spread(self, figure: str) -> Spread:
        """One figure's median and spread; there is at least one sample."""
        return Spread.of(self.values(figure))


@dataclass(slots=True)
class Result:
    """All that one session measured."""

    about: dict[str, Any]
    runs: list[Run] = field(default_factory=list)
    footprints: dict[str, Footprint] = field(default_factory=dict)

    def run(self, relay: str, case: Case) -> Run | None:
        """The run of this relay and case that has samples."""
        for run in self.runs:
            if run.relay == relay and run.case == case and run.samples:
                return run
        return None

    def baseline(self, case: Case) -> Run | None:
        """What the baseline did in this case, or in the same without features."""
        return self.run(BASELINE.name, case) or self.run(BASELINE.name, case.plain)

    def against_baseline(self, run: Run, figure: str) -> list[float]:
        """`run`'s figure as a part of the baseline's, repeat by repeat.

        Repeats are interleaved, so those of one number met the same noise.
        """
        baseline = self.baseline(run.case)
        if baseline is None:
            return []
        pairs = zip(run.values(figure), baseline.values(figure), strict=False)
        return [mine / its for mine, its in pairs if its]

    def as_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "format": _FORMAT,
            "about": self.about,
            "runs": [
                {
                    "relay": run.relay,
                    "case": run.case.as_json(),
                    "samples": [sample.as_json() for sample in run.samples],
                    "failed": run.failed,
                }
                for run in self.runs
            ],
            "footprints": {
                name: footprint.as_json() for name, footprint in self.footprints.items()
            },
        }


def write(result: Result, file: Path) -> None:
    """Write `result` as JSON."""
    file.write_text(json.dumps(result.as_json(), indent=1) + "\n", "utf-8")


def read(file: Path) -> Result:
    """Read what `write` wrote; raises Unreadable."""
    try:
        found = json.loads(file.read_text("utf-8"))
        if found["format"] != _FORMAT:
            raise Unreadable(f"{file}: format {found['format']}, not {_FORMAT}")
        return Result(
            about=found["about"],
            runs=[
                Run(
                    one["relay"],
                    Case(**one["case"]),
                    [Sample(**sample) for sample in one["samples"]],
                    one["failed"],
                )
                for one in found["runs"]
            ],
            footprints={
                name: _footprint(one) for name, one in found["footprints"].items()
            },
        )
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from error
    except (ValueError, TypeError, LookupError) as error:
        raise Unreadable(f"{file}: not a result of the bench: {error!r}") from error


def _footprint(found: Mapping[str, Any]) -> Footprint:
    return Footprint(
        found["seconds_to_220"],
        found["idle"],
        {int(number): size for number, size in found["with_connections"].items()},
        {int(number): taken for number, taken in found["held"].items()},
        found["others_load"],
    )
