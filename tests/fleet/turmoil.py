"""Relays and workers on one queue, one killed every few seconds, until all is sent.

`python -m tests.fleet.turmoil --mails 20000 --seed 1` prints a table, and ends with 1
where a mail was lost or one was sent twice without a reason: its first answer was not
seen, or its relay was killed before the end was written; and where who sent it again
logged it, with the mark that it may have been sent before.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from relay.fleet import keys
from relay.fleet.aws import FleetSettings
from relay.model.job import Failed
from tests.crash.clients import Client
from tests.crash.fleet import FleetRelay
from tests.crash.run import seed
from tests.crash.verdict import Verdict, judge
from tests.crash.weather import CALM, FAULTS, Call, FaultySes, number_of
from tests.fake_ses import Request
from tests.fleet.emulators import Emulator, ministack
from tests.fleet.patient import in_bucket, objects

# About one in seven waits, and nothing pauses the fleet.
WEATHER = {
    "none": 82.0,
    "slow": 5,
    "very slow": 4,
    "refused": 1,
    "strange": 1,
    "500": 2,
    "taken, 500": 1,
    "reset": 2,
    "taken, reset": 1,
    "hang": 0.5,
    "taken, hang": 0.5,
}
STILL = 120.0  # seconds: leases end in 24, and what has a hint is received in 34
TELLS_EVERY = 30.0  # seconds


@dataclass(frozen=True)
class Plan:
    """How much, how long at most, and by how many."""

    seed: int
    mails: int = 20_000
    seconds: float = 3600.0
    every: float = 2.0  # seconds between two kills
    relays: int = 3
    workers: int = 3
    clients: int = 8


class LivesSes(FaultySes):
    """Knows the lives of all relays, each by the region that it signs for."""

    def life_of(self, seen: Request) -> int:
        return int(seen.region.rpartition("-")[2])


@dataclass
class Ends:
    """What the logs of all lives say: which ends were written, by message id.

    True for those of mail that was marked before.
    """

    written: dict[str, bool] = field(default_factory=dict)
    killed: set[int] = field(default_factory=set)

    def read(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Note what a life has logged."""
        kept = {one["id"] for one in lines if one["event"] == "end not written"}
        kept -= {one["id"] for one in lines if one["event"] == "end written"}
        for one in lines:
            if one["event"] == "sent" and one["id"] not in kept:
                self.written[one["messageId"]] = one.get("maybeSentBefore", False)

    def cause(self, first: Call, again: Call) -> str:
        """Why nobody could know that SES took the first; "": somebody could."""
        if self.written.get(again.message_id, True) is False:
            return ""  # it was sent as if for the first time
        if not FAULTS[first.fault].seen:
            return first.fault
        if first.life in self.killed and first.message_id not in self.written:
            return "killed before the end was written"
        return ""


class Member(FleetRelay):
    """One relay or worker of the fleet, one life after the other."""

    def __init__(
        self,
        directory: Path,
        url: str,
        place: FleetSettings,
        *,
        command: str,
        lives: itertools.count[int],
        ends: Ends,
    ) -> None:
        directory.mkdir()
        super().__init__(directory, url, place, command=command)
        self.ready = False
        self._lives = lives
        self._ends = ends
        self._life = 0

    def settings(self) -> Mapping[str, str]:
        return {"RELAY_SES__REGION": f"eu-west-{self._life}"}

    def start(self) -> None:
        self._life = next(self._lives)
        super().start()
        self.ready = True

    def kill(self) -> None:
        self.ready = False
        self._ends.killed.add(self._life)
        super().kill()

    def ended(self, lines: Sequence[Mapping[str, Any]]) -> None:
        super().ended(lines)
        self._ends.read(lines)

    def again(self) -> None:
        """End a life that was killed, and begin the next."""
        self.end()
        self.start()


async def run(
    plan: Plan,
    directory: Path,
    emulator: Emulator,
    tell: Callable[[str], None] = lambda line: None,
) -> Verdict:
    """Send by `plan` under kills, let all mail end, and judge."""
    place = await asyncio.to_thread(emulator.place)
    random, ends, lives = Random(plan.seed), Ends(), itertools.count(1)
    numbers = itertools.count(1)
    async with LivesSes(Random(plan.seed), WEATHER) as ses:
        commands = ["serve"] * plan.relays + ["worker"] * plan.workers
        members = [
            Member(
                directory / f"{number}",
                ses.url,
                place,
                command=command,
                lives=lives,
                ends=ends,
            )
            for number, command in enumerate(commands)
        ]
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in members))

        def port(choice: Random) -> int | None:
            ports = [one.port for one in members if one.port is not None]
            return choice.choice(ports) if ports else None

        clients = [
            Client(numbers, partial(port, own), own, most=60)
            for own in (Random(f"{plan.seed} {n}") for n in range(plan.clients))
        ]
        for client in clients:
            client.start()
        try:
            kills = await _turmoil(plan, members, clients, random, tell)
        finally:
            for client in clients:
                client.stop()
        for client in clients:
            await asyncio.to_thread(client.join)
        ses.weather = CALM
        tell("no more mail; waiting for the rest of it")
        # What has no hint was cut off before its client heard 250, and is found by
        # whoever looks at the whole bucket.
        cut_off = await asyncio.to_thread(_left, place, tell)
        if cut_off:
            await asyncio.to_thread(members[0].redrive)
        left = await asyncio.to_thread(_left, place, tell)
        codes = await asyncio.gather(*(asyncio.to_thread(one.end) for one in members))
        strange = [one.wrong for one in ses.requests if one.wrong]
    tries = [one for client in clients for one in client.tries]
    verdict = judge(tries, ses.calls, {}, ends.cause, shared=True)
    verdict.figures["mails"] = len(tries)
    verdict.figures["killed"] = kills
    verdict.figures["cut off before a reply"] = len(cut_off)
    taken = {one.mail for one in tries if one.code == 250}
    verdict.faults += [f"mail {one}: has no hint" for one in cut_off & taken]
    for one in members:
        verdict.faults += one.bugs
    verdict.faults += [f"not a call: {one}" for one in strange]
    if left or any(codes):
        verdict.faults.append(f"at the end: {left} left, exit codes {codes}")
    return verdict


async def _turmoil(
    plan: Plan,
    members: Sequence[Member],
    clients: Sequence[Client],
    random: Random,
    tell: Callable[[str], None],
) -> int:
    """Kill one after the other, until the mails are sent or the time is over."""
    kills, began = 0, time.monotonic()
    told = began
    starting: set[asyncio.Task[None]] = set()
    while time.monotonic() - began < plan.seconds:
        await asyncio.sleep(plan.every)
        sent = sum(len(one.tries) for one in clients)
        if sent >= plan.mails:
            break
        if ready := [one for one in members if one.ready]:
            one = random.choice(ready)
            one.kill()
            kills += 1
            starting.add(asyncio.create_task(asyncio.to_thread(one.again)))
        for task in [one for one in starting if one.done()]:
            starting.discard(task)
            task.result()
        if time.monotonic() - told > TELLS_EVERY:
            told = time.monotonic()
            tell(f"{told - began:.0f} s: {sent} mails, {kills} killed")
    await asyncio.gather(*starting)
    return kills


def _left(place: FleetSettings, tell: Callable[[str], None]) -> set[int]:
    """Wait until all mail is sent or has failed, or nothing moves; what is neither."""
    moved = told = time.monotonic()
    failed: set[str] = set()
    before: set[str] = set()
    while True:
        names = {key.rpartition("/")[2] for key in objects(place, "mail/")}
        some = in_bucket(place, sorted(names - failed)[:200])
        failed |= {keys.name_of(one) for one in some if isinstance(one.state, Failed)}
        if names - failed != before:
            before, moved = names - failed, time.monotonic()
        if not before:
            return set()
        if time.monotonic() - moved > STILL:
            return {number_of(one.mail.content) for one in some}
        if time.monotonic() - told > TELLS_EVERY:
            told = time.monotonic()
            tell(f"{len(before)} wait")
        time.sleep(1)


def main() -> int:
    """Run; exit code 1 when a mail was lost or a duplicate has no cause."""
    parser = argparse.ArgumentParser("python -m tests.fleet.turmoil")
    parser.add_argument("--mails", type=int, default=Plan.mails)
    parser.add_argument("--minutes", type=float, default=60, help="at most")
    parser.add_argument("--every", type=float, default=Plan.every, help="seconds")
    parser.add_argument("--relays", type=int, default=Plan.relays)
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--clients", type=int, default=Plan.clients)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    chosen = seed() if options.seed is None else options.seed
    print(f"seed {chosen}", flush=True)
    plan = Plan(
        chosen,
        options.mails,
        options.minutes * 60,
        options.every,
        options.relays,
        options.workers,
        options.clients,
    )
    with tempfile.TemporaryDirectory() as directory, ministack() as emulator:
        told = partial(print, flush=True)
        verdict = asyncio.run(run(plan, Path(directory), emulator, told))
    print(verdict.table())
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
