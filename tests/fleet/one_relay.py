"""A relay's queue and nothing else, in a process that may be killed at any point.

It puts mails, claims what waits, and says each step on stdout before the next.
"""

from __future__ import annotations

import asyncio
import json
import sys

from relay.fleet.aws import FleetSettings
from relay.fleet.open import open_queue
from relay.model.job import Queued, Sent
from relay.queue import Claim, Unwritable
from relay.queue.clock import steady
from tests.fleet.jobs import MUCH, job

LIVES = 300.0  # seconds, if nobody kills it
ATTEMPT = 0.1  # seconds, so that a lease is no longer than it has to be


def say(what: str, mail_id: str) -> None:
    """Tell who watches, at once."""
    print(what, mail_id, flush=True)


async def main(place: FleetSettings, *, fails_first: bool) -> None:
    """Put one mail, and work on the queue for a while."""
    async with open_queue(place, attempt_timeout=ATTEMPT) as queue:
        running = asyncio.create_task(queue.run(asyncio.Event()))
        until = steady() + LIVES
        failed: set[str] = set()
        while steady() < until:
            mail = job(queue)
            try:
                await queue.put([mail])
            except Unwritable:  # a machine that is slow
                await asyncio.sleep(0.2)
            else:
                say("kept", mail.id)
                break

        async def send(claim: Claim) -> None:
            found, state = claim.job, claim.job.state
            if fails_first and found.id not in failed:
                failed.add(found.id)
                await queue.settle(claim, Queued(state.attempts, queue.now()))
                return
            marked = getattr(state, "maybe_sent", False)
            say("marked" if marked else "sent", found.id)
            await queue.settle(claim, Sent(state.attempts, queue.now(), "0100-1"))
            say("ended", found.id)

        while steady() < until:
            try:
                claims = await queue.claim(9, size=MUCH)
            except Unwritable:
                claims = []
            await asyncio.gather(*map(send, claims))
            await asyncio.sleep(0.05)
        running.cancel()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(main(FleetSettings(**given), fails_first=sys.argv[2] == "fails"))
