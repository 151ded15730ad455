"""Kill the relay before each single step of keeping, sending and ending a mail.

strace(1) counts the system calls of a thread and kills the relay on its way into the
one that is asked for, so that no moment between two steps is left to luck.
"""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.crash.clients import SENDER, Try
from tests.crash.run import Relay
from tests.crash.verdict import Verdict, judge
from tests.crash.weather import FaultySes

# What the spool's thread does to the disk, and what goes to the client and to SES.
STEPS = ("fdatasync", "pwrite64", "sendto")


async def run(directory: Path, steps: Mapping[str, Iterable[int]]) -> Verdict:
    """Send one mail per life, killed before the n-th call of a kind, for each n."""
    killed: dict[int, float] = {}
    tries: list[Try] = []
    reached: dict[str, list[int]] = {kind: [] for kind in steps}
    async with FaultySes(Random(1)) as ses:
        ses.first = "strange"  # a mail that SES takes at once has no steps on the disk
        relay = Relay(directory, ses.url)
        for kind, numbers in steps.items():
            for number in numbers:
                await asyncio.to_thread(relay.start)
                await asyncio.to_thread(relay.wait_for_the_last)
                one = await asyncio.to_thread(_try, relay, kind, number, len(tries) + 1)
                tries.append(one)
                code = await asyncio.to_thread(relay.end)
                if code == 0:
                    break  # there was no such step
                killed[ses.life] = time.monotonic()
                ses.life += 1
                reached[kind].append(number)
        await asyncio.to_thread(relay.start)
        left = await asyncio.to_thread(relay.wait_for_the_last)
        code = await asyncio.to_thread(relay.end)
    verdict = judge(tries, ses.calls, killed)
    for kind, points in reached.items():
        verdict.figures[f"killed before {kind}"] = len(points)
    verdict.faults += relay.bugs
    if left or code:
        verdict.faults.append(f"at the end: {left} mails left, exit code {code}")
    return verdict


def _try(relay: Relay, kind: str, step: int, number: int) -> Try:
    """Send a mail to a relay that is killed before the step, if it comes to it."""
    with _killing(relay.pid, kind, step):
        one = _send(relay, number)
        if one.code:
            relay.wait_for_the_last()  # what follows the reply has its steps, too
    return one


@contextmanager
def _killing(pid: int, kind: str, step: int) -> Iterator[None]:
    point = ["-e", f"trace={kind}", "-e", f"inject={kind}:signal=KILL:when={step}"]
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", *point, "-p", str(pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    with tracer.stderr:
        said = tracer.stderr.readline()
        assert "attached" in said, said
        yield
        tracer.terminate()
        try:
            tracer.wait(1)
        except subprocess.TimeoutExpired:
            tracer.kill()  # it waits for a thread that died with all the others
            tracer.wait()


def _send(relay: Relay, number: int) -> Try:
    content = (
        f"From: <{SENDER}>\r\nMessage-ID: <crash-{number}@a.example>\r\n\r\nx\r\n"
    ).encode()
    to = (f"r{number}@d.example",)
    code, text = 0, b""
    try:
        assert relay.port is not None
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as smtp:
            smtp.ehlo("client")
            smtp.mail(SENDER)
            smtp.rcpt(to[0])
            code, text = smtp.data(content)
    except (OSError, smtplib.SMTPException):
        pass  # killed on its way
    return Try(number, to, hashlib.sha256(content).digest(), code, text.decode())
