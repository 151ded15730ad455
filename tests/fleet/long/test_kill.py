"""kill -9 at each point of a mail's way: none is lost, and repeats are marked."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from relay.fleet.aws import FleetSettings
from relay.fleet.open import open_queue
from tests.fleet.emulators import Emulator
from tests.fleet.faults import faults
from tests.fleet.jobs import WAIT, Sender, until
from tests.fleet.one_relay import ATTEMPT
from tests.fleet.patient import objects

# After which call of the relay it is killed, and whether its first attempt fails.
POINTS = (
    ("S3 PUT mail", False),
    ("SQS SendMessageBatch", False),
    ("S3 PUT state", False),
    ("S3 GET mail", False),
    ("S3 DELETE mail", False),
    ("S3 DELETE state", False),
    ("second S3 PUT state", True),  # as it was queued again
    ("second SQS SendMessageBatch", True),
)


@dataclass
class Relay:
    """One process, and what it said before it was killed."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def named(self, what: str) -> list[str]:
        """The mails of which it said that."""
        return [mail_id for said, mail_id in self.said if said == what]


async def killed(
    emulator: Emulator, place: FleetSettings, point: str, *, fails: bool
) -> Relay:
    """Run one until such a call has had its effect, and kill it before it knows."""
    relay = Relay()
    async with faults(emulator.endpoint) as proxy:
        proxy.fate = _holds(point)
        given = asdict(replace(place, endpoint_url=proxy.url))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fleet.one_relay", json.dumps(given)),
            "fails" if fails else "sends",
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(2 * WAIT):
                await proxy.held.wait()
        finally:
            process.kill()
            out, _ = await process.communicate()
    for line in out.decode().splitlines():
        what, _, mail_id = line.partition(" ")
        relay.said.append((what, mail_id))
    return relay


def _holds(point: str) -> Callable[[str], str]:
    name = point.removeprefix("second ")
    left = 2 if point != name else 1
    tried = False  # the bucket, with a put of a state

    def fate(call: str) -> str:
        nonlocal left, tried
        tried = tried or call == "S3 PUT mail"
        if call != name or not tried:
            return "pass"
        left -= 1
        return "hold" if left == 0 else "pass"

    return fate


async def test_what_is_killed_at_any_point_is_sent_and_repeats_are_marked(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    relays: list[Relay] = []
    for point, fails in POINTS:
        relays.append(await killed(emulator, place, point, fails=fails))
    async with open_queue(place, attempt_timeout=ATTEMPT) as queue:
        stopping = asyncio.Event()
        running = asyncio.create_task(queue.run(stopping))
        sender = Sender(queue)
        sending = asyncio.create_task(sender.run())
        kept = {one for relay in relays for one in relay.named("kept")}
        before = Counter(
            one
            for relay in relays
            for one in (*relay.named("sent"), *relay.named("marked"))
        )
        await until(lambda: kept <= {*before, *sender.sent})
        # What nobody was told of may lie there until an audit; what was kept may not.
        await until(lambda: not any(one in "".join(objects(place)) for one in kept))
        sending.cancel()
        stopping.set()
        await running
    assert len(kept) >= 5  # else no test of anything
    twice = {one for one in kept if before[one] + sender.sent[one] > 1}
    assert twice <= sender.marked | {
        one for relay in relays for one in relay.named("marked")
    }
