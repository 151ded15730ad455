"""What a shared queue costs a relay: `python -m bench.fleet`.

Processor time of this process for each mail that is put, and for each that is received,
claimed and settled as sent: record, hint, state and their deletes, by the code that a
relay runs.
S3 and SQS are a process of their own (bench.store), over HTTP: TLS is not measured.
A round puts and sends all its mails; the first, which warms up, does not count, nor
does one in which a call was refused, because the machine had more to do.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.mails import mail
from relay.fleet.aws import FleetSettings
from relay.fleet.open import open_queue
from relay.fleet.sqs import SqsQueue
from relay.model.job import Job, Queued, Sent
from relay.model.mail import Mail
from relay.model.submission import Envelope, new_id
from relay.queue import Claim, Unwritable

SENDING = 20  # attempts at once, as a relay's
MUCH = 100_000_000  # bytes of what is claimed at once
PATIENCE = 600.0  # seconds of one round


@dataclass
class Figures:
    """Of each round that counts, in milliseconds a mail; and hints of each call."""

    put: list[float] = field(default_factory=list)
    claim: list[float] = field(default_factory=list)
    hints: list[int] = field(default_factory=list)

    def text(self, puts_at_once: int) -> str:
        """A line for each figure."""
        mean, median = statistics.mean(self.hints), statistics.median(self.hints)
        return (
            f"CPU of a put               {_spread(self.put)}\n"
            f"CPU of a claim and settle  {_spread(self.claim)}\n"
            f"hints of one call          mean {mean:.1f}, median {median:g}, "
            f"{puts_at_once} puts at once"
        )


def main(words: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser("python -m bench.fleet", description=__doc__)
    parser.add_argument("--mails", type=int, default=1000, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=100, help="puts")
    parser.add_argument("--size", type=int, default=4000, help="bytes of a mail")
    parser.add_argument(
        "--delay-ms", type=float, default=0, help="of each answer of S3 and SQS"
    )
    options = parser.parse_args(words)
    for name in ("mails", "rounds", "at_once"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: at least 1")
    with store(options.delay_ms) as place:
        measured = _measure(
            place,
            mail(options.size),
            mails=options.mails,
            rounds=options.rounds,
            at_once=options.at_once,
        )
        figures = asyncio.run(measured)
    if not figures.put:
        print("in each round a call was refused: too busy a machine", file=sys.stderr)
        return 1
    print(
        f"{len(figures.put)} rounds of {options.mails} mails of {options.size} bytes, "
        f"answers after {options.delay_ms:g} ms\n{figures.text(options.at_once)}"
    )
    return 0


@contextmanager
def store(delay_ms: float) -> Iterator[FleetSettings]:
    """S3 and SQS until the context ends: where a queue is to have its place."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.store", str(delay_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            endpoint = f"http://127.0.0.1:{int(running.stdout.readline())}"
            yield FleetSettings(
                url=f"{endpoint}/000000000000/bench",
                bucket="bench",
                prefix="relay/",
                region="eu-west-1",
                endpoint_url=endpoint,
                access_key_id="AKIAFAKE",
                access_key_secret="fake-secret",  # noqa: S106 - what it says
            )
        finally:
            running.stdin.close()


def _job(queue: SqsQueue, content: bytes) -> Job:
    now = queue.now()
    found = Mail(Envelope("a@b.example", ("c@d.example",)), content)
    return Job(new_id(), 0, found, now, now + 3600, Queued(0, now))


async def _measure(
    place: FleetSettings, content: bytes, *, mails: int, rounds: int, at_once: int
) -> Figures:
    figures = Figures()
    async with open_queue(place) as queue:
        for number in range(rounds + 1):
            one = _Round(queue, content, mails)
            async with asyncio.timeout(PATIENCE):
                put = await one.cpu(one.put(at_once))
                hints = list(queue.bell.batch_sizes)
                claim = await one.cpu(one.send())
            if number and not one.refused:
                figures.put.append(put)
                figures.claim.append(claim)
                figures.hints += hints
    return figures


class _Round:
    """So many mails in, and out again; `refused` counts what had to be done again."""

    def __init__(self, queue: SqsQueue, content: bytes, mails: int) -> None:
        self.refused = 0
        self._queue = queue
        self._content = content
        self._mails = mails

    async def cpu(self, work: Awaitable[None]) -> float:
        """Do it; give the milliseconds of a mail."""
        began = time.process_time()
        await work
        return (time.process_time() - began) / self._mails * 1000

    async def put(self, at_once: int) -> None:
        left = iter(range(self._mails))

        async def one_after_the_other() -> None:
            for _ in left:
                while not await self._put():
                    self.refused += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))

    async def _put(self) -> bool:
        try:
            await self._queue.put([_job(self._queue, self._content)])
        except Unwritable:
            return False
        return True

    async def send(self) -> None:
        """Receive, claim and settle all, as often as there is something here."""
        came, stopping = asyncio.Event(), asyncio.Event()
        self._queue.on_change(came.set)
        running = asyncio.create_task(self._queue.run(stopping))
        left = self._mails
        while left > 0:
            came.clear()
            try:
                claims = await self._queue.claim(SENDING, size=MUCH)
            except Unwritable:  # its hint comes again
                self.refused += 1
                continue
            if claims:
                await asyncio.gather(*map(self._settle, claims))
                left -= len(claims)
            else:
                await came.wait()
        await self._queue.bell.drained()
        stopping.set()
        await running

    async def _settle(self, claim: Claim) -> None:
        end = Sent(claim.job.state.attempts, self._queue.now(), "0100-1")
        await self._queue.settle(claim, end)


def _spread(found: Sequence[float]) -> str:
    return f"{statistics.median(found):.2f} ms ({min(found):.2f} to {max(found):.2f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
