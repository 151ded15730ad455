"""What delivering a mail costs that SES takes at once: instructions, by the engine.

`python -m bench.delivering`; needs valgrind. What neighbours do on the machine changes
nothing of it. The delivery is the relay's own, over a spool; the call to SES is left
out, and takes a turn of the loop. Of two counts of mails the difference is taken, so
that starting costs nothing.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from relay.delivery.admission import Admission, Load
from relay.delivery.attempts import Attempts
from relay.delivery.detour import Detour
from relay.delivery.dsn import Reporter
from relay.delivery.immediate import ImmediateDelivery, Route
from relay.delivery.line import Line
from relay.delivery.pace import Pace
from relay.delivery.queued import QueuedDelivery
from relay.delivery.ways import Way, Ways
from relay.delivery.worker import Worker
from relay.model.job import RetryPolicy
from relay.model.mail import Mail, Prepared, SendOptions
from relay.model.outcome import Accepted, Outcome, When
from relay.model.submission import Envelope, MailId, Submission, new_id
from relay.observe.events import Events
from relay.queue.memory_notes import MemoryNotes
from relay.queue.sqlite import open_spool
from relay.system.handover import Wait

ENGINES = ("none", "sqlite")
FEW, MANY = 100, 600
ANSWER_WITHIN = 3600.0  # seconds; under valgrind all is slow
CONCURRENCY = 50
LOOKS = (60.0,)
TAKEN = Accepted("0102018d-0000")

_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


class NotTaken(Exception):  # noqa: N818 - a statement about the mail
    """A mail was not taken at once, so that something else would be measured."""


class Ses:
    """Answers each mail with `outcome`, a turn of the loop later."""

    def __init__(self, outcome: Outcome = TAKEN) -> None:
        self._outcome = outcome
        self._loop = asyncio.get_running_loop()

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        answer = Wait(loop=self._loop)
        self._loop.call_soon(answer.set_result, self._outcome)
        outcome: Outcome = await answer
        return outcome

    def at_hand(self, mail: Mail) -> bool:
        return True


def main() -> None:
    """Print thousands of instructions per mail, and what the queue adds."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is missing; on Debian: apt-get install valgrind")
    found = {}
    for engine in ENGINES:
        counted = _counted(engine, MANY) - _counted(engine, FEW)
        found[engine] = counted / (MANY - FEW) / 1000
        print(f"{engine:6} {found[engine]:6.1f} thousand instructions", flush=True)
    print(f"more   {found['sqlite'] - found['none']:6.1f}")


def _counted(engine: str, mails: int) -> int:
    """All instructions of a process that delivers so many."""
    with TemporaryDirectory() as directory:
        out = Path(directory, "callgrind")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += [sys.executable, "-m", "bench.delivering", engine, str(mails)]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        total = _TOTAL.search(out.read_text()) if out.exists() else None
        if done.returncode or total is None:
            raise SystemExit(done.stderr)
        return int(total[1])


async def deliver(engine: str, mails: int, outcome: Outcome = TAKEN) -> None:
    """Deliver one after the other; raises NotTaken where SES does not take one."""
    content = b"From: app@acme.example\r\n\r\n" + b"x" * 4000
    mail = Mail(Envelope("app@acme.example", ("someone@example.net",)), content)
    prepared = Prepared((mail,))
    async with AsyncExitStack() as stack:
        delivery = await _delivery(engine, Ses(outcome), stack)
        for _ in range(mails):
            came = Submission(new_id(), mail.envelope, content)
            reply = await delivery.deliver(
                came, prepared, started=time.monotonic(), left=lambda: False
            )
            if not reply.text.startswith("Ok "):
                raise NotTaken(str(reply))


async def _delivery(
    engine: str, ses: Ses, stack: AsyncExitStack
) -> ImmediateDelivery | QueuedDelivery:
    """As the app builds it, for one account without a pace."""
    events = Events(())
    if engine == "none":
        pace = Pace()
        line = Line(pace, CONCURRENCY)
        route = Route("", ses, pace, line, lambda _: 0.0, Detour(LOOKS))
        return ImmediateDelivery(
            routes=[route],
            events=events,
            answer_within=ANSWER_WITHIN,
            notes=MemoryNotes(now=time.monotonic),
        )
    file = Path(stack.enter_context(TemporaryDirectory()), "spool.db")
    queue = await stack.enter_async_context(
        open_spool(file, keep_sent=0, keep_failed=0)
    )
    gate = Admission(
        pace=Pace(),
        concurrency=CONCURRENCY,
        load=Load(10**8),
        silent_after=ANSWER_WITHIN,
        looks=LOOKS,
    )
    ways = Ways([Way("", ses, gate)])
    policy = RetryPolicy(dict.fromkeys(When, LOOKS), give_up_after=3600)
    reporter = Reporter("", "", "", "here", 1000, SendOptions())
    attempts = Attempts(events=events, queue=queue, policy=policy, reporter=reporter)
    Worker(queue, ways, attempts)  # hears of each end, and has nothing to do
    return QueuedDelivery(
        attempts=attempts,
        events=events,
        queue=queue,
        ways=ways,
        notes=queue.notes,
        policy=policy,
        answer_within=ANSWER_WITHIN,
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        gc.disable()
        asyncio.run(deliver(sys.argv[1], int(sys.argv[2])))
    else:
        main()
