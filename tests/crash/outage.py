"""SES is away for a while, under load, and comes back: what leaves, and how fast."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.crash.clients import Client
from tests.crash.run import Relay
from tests.crash.verdict import Verdict, judge
from tests.crash.weather import Call, FaultySes
from tests.fake_ses import Answer

RATE = 60  # recipients per second, of the account; the relay may take 0.9 of it
# What leaves in one second may arrive in less, where the machine has more to do.
MOVED = 1.15
BEFORE = AFTER = 5.0  # seconds of load around the outage


async def run(seconds: float, directory: Path, clients: int) -> Verdict:
    """Load, an outage of `seconds`, recovery under load, and the rest of it."""
    quota = {"SendQuota": {"MaxSendRate": RATE, "Max24HourSend": 1e6}}
    async with FaultySes(Random(1)) as ses:
        ses.resources["/v2/email/account"] = Answer(body=json.dumps(quota).encode())
        relay = Relay(directory, ses.url, rate='"auto"')
        await asyncio.to_thread(relay.start)
        numbers = itertools.count(1)
        # So many mails a second that the backlog shrinks under load, but slowly.
        pause = 2 * clients / (RATE / 2)
        running = [
            Client(numbers, lambda: relay.port, Random(n), pause, most=1)
            for n in range(clients)
        ]
        for client in running:
            client.start()
        await asyncio.sleep(BEFORE)
        await ses.vanish()
        await asyncio.sleep(seconds)
        waiting = await asyncio.to_thread(relay.open_mails)
        await ses.reopen()
        over = time.monotonic()
        await asyncio.sleep(AFTER)
        for client in running:
            client.stop()
            await asyncio.to_thread(client.join)
        left = await asyncio.to_thread(relay.wait_for_the_last)
        code = await asyncio.to_thread(relay.end)
    verdict = judge([one for client in running for one in client.tries], ses.calls, {})
    verdict.faults += relay.bugs
    if left or code:
        verdict.faults.append(f"at the end: {left} mails left, exit code {code}")
    _pace(ses.calls, over, verdict)
    verdict.figures["waiting at its end"] = waiting
    verdict.figures["seconds until all had left"] = round(ses.calls[-1].at - over)
    return verdict


def _pace(calls: Sequence[Call], over: float, verdict: Verdict) -> None:
    times = [call.at for call in calls]
    most = first = 0
    for number, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        most = max(most, number - first + 1)
    verdict.figures["most in any second"] = most
    if most > RATE * MOVED:
        verdict.faults.append(f"{most} left in a second, of {RATE} that may")
    backlog = [at for at in times if at >= over]
    verdict.figures["left after the outage"] = len(backlog)
