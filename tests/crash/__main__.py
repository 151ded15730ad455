"""`python -m tests.crash`: run for as long as one likes, and print a table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.crash import fleet, outage, steps
from tests.crash.run import Plan, run, seed
from tests.fleet import emulators


def main() -> int:
    """Run; exit code 1 when a mail was lost or a duplicate has no cause."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--minutes", type=float, default=0, help="how long")
    parser.add_argument("--rounds", type=int, default=50, help="or how many rounds")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument(
        "--steps",
        action="store_true",
        help="instead: before each single step of one mail (needs strace)",
    )
    parser.add_argument(
        "--lost-writes",
        action="store_true",
        help="a kill loses what was not synced, as a power cut does",
    )
    parser.add_argument(
        "--fleet",
        action="store_true",
        help="with a queue in S3 and SQS, by an emulator",
    )
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--outage",
        type=float,
        default=0,
        help="instead: SES is away for so many seconds",
    )
    options = parser.parse_args()
    chosen = seed() if options.seed is None else options.seed
    print(f"seed {chosen}", flush=True)
    told = partial(print, flush=True)
    plan = Plan(
        chosen,
        options.rounds,
        options.minutes * 60,
        options.clients,
        options.lost_writes,
    )
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        if options.fleet:
            emulator = stack.enter_context(emulators.ministack())
            work = fleet.rounds(plan, Path(directory), emulator, told)
        elif options.outage:
            work = outage.run(options.outage, Path(directory), options.clients)
        elif options.steps:
            work = steps.run(
                Path(directory), dict.fromkeys(steps.STEPS, range(1, 1000))
            )
        else:
            work = run(plan, Path(directory), told)
        verdict = asyncio.run(work)
    print(verdict.table())
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
