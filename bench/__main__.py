"""The command: `python -m bench` measures, `compare` compares, `hold` holds still."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import cases, compare, report, result
from bench.hold import hold
from bench.measure import Bench, Failed
from bench.plan import Plan, carry_out, with_own
from bench.relays import RELAY, Relay, parse
from bench.tools import BUILD, Unusable, build

# Cases, seconds of each sample, repeats, starts.
SETS = {
    "quick": (cases.QUICK, 2.0, 1, 3),
    "goal": (cases.GOAL, 3.0, 3, 5),
    "rules": (cases.RULES, 3.0, 3, 0),
    "durability": (cases.DURABILITY, 2.5, 3, 0),
    "weather": (cases.WEATHER, 3.0, 3, 0),
    "full": (cases.FULL, 1.5, 3, 5),
}
# Cases that are too many to measure those of the plain relays more than once.
MANY = 10


def main(words: Sequence[str]) -> int:
    """Carry out what the words ask for; give the exit code."""
    if words[:1] == ["compare"]:
        return _compare(words[1:])
    if words[:1] == ["hold"]:
        return _hold(words[1:])
    return _measure(words)


def _relay(text: str) -> Relay:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _measure(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m bench",
        description="Measure the relay beside a baseline and a floor.",
        epilog="`python -m bench compare A.json B.json` says what changed; "
        "`python -m bench hold` keeps one case going, for a profiler.",
    )
    which = parser.add_mutually_exclusive_group()
    for name, (chosen, *_) in SETS.items():
        which.add_argument(
            f"--{name}",
            dest="which",
            action="store_const",
            const=name,
            help=f"{len(chosen)} cases" + (" (default)" if name == "quick" else ""),
        )
    parser.add_argument("--seconds", type=float, help="of each sample")
    parser.add_argument("--repeats", type=int, help="of each case")
    parser.add_argument("--starts", type=int, help="of each relay; 0: no memory either")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="TEXT",
        help="only those with TEXT in their name, such as 'kB, many mails, SES'",
    )
    parser.add_argument(
        "--relay",
        action="append",
        default=[],
        type=_relay,
        metavar="NAME='COMMAND {port} {ses} {config}'",
        help="a further relay to measure",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where figures go")
    parser.add_argument("--plan", action="store_true", help="say what, and end")
    options = parser.parse_args(words)
    chosen, seconds, repeats, starts = SETS[options.which or "quick"]
    file = options.json or BUILD / f"{options.which or 'quick'}.json"
    if options.json and not file.absolute().parent.is_dir():
        parser.error(f"--json {file}: there is no such directory")  # not after minutes
    plan = Plan(
        cases=[
            case for case in chosen if all(text in case.name for text in options.case)
        ],
        relays=with_own([RELAY, *options.relay]),
        repeats=options.repeats or repeats,
        seconds=options.seconds or seconds,
        starts=starts if options.starts is None else options.starts,
        beside=len(chosen) < MANY,
    )
    if not plan.cases:
        parser.error(f"no case has {' and '.join(options.case)} in its name")
    print(plan.describe(), flush=True)
    if options.plan:
        return 0
    try:
        made = build()
        if made.cores.shared:
            _say("one core for all: the tools take from the relay what they need")
        with TemporaryDirectory(prefix="run-", dir=BUILD) as directory:
            found = carry_out(plan, Bench(made, Path(directory)), _say)
    except Unusable as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing is kept", file=sys.stderr)
        return 1
    result.write(found, file)
    print(f"\n{report.table(found)}\n\nfigures: {file}")
    return 1 if any(run.failed for run in found.runs) else 0


def _hold(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m bench hold",
        description="Keep one case going, so that a profiler can look at the relay.",
    )
    parser.add_argument("relay", choices=[one.name for one in with_own([RELAY])])
    parser.add_argument("--case", action="append", default=[], metavar="TEXT")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args(words)
    every = [*cases.GOAL, *cases.WEATHER, *cases.FULL]
    found = [one for one in every if all(text in one.name for text in options.case)]
    if not found:
        parser.error(f"no case has {' and '.join(options.case)} in its name")
    (relay,) = [one for one in with_own([RELAY]) if one.name == options.relay]
    try:
        made = build()
        with TemporaryDirectory(prefix="hold-", dir=BUILD) as name:
            place = Path(name)
            hold(made, place, relay, found[0], seconds=options.seconds, say=_say)
    except (Unusable, Failed) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 1
    return 0


def _compare(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench compare")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--all", action="store_true", help="what did not change too")
    options = parser.parse_args(words)
    try:
        changes = compare.compare(
            result.read(options.before), result.read(options.after)
        )
    except result.Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    print(compare.text(changes, everything=options.all))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
