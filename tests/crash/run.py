"""Rounds of a relay that is killed, and then the time that it needs to end all."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from relay.queue import file
from tests.crash.clients import Client
from tests.crash.lost_writes import ForgetfulDisk
from tests.crash.verdict import Verdict, judge
from tests.crash.weather import CALM, MILD, STORM, FaultySes
from tests.server.relay_process import RelayProcess, environment

CONFIG = """
grace = {grace}

[[listeners]]
name = "local"
address = "127.0.0.1:0"

[ses]
region = "eu-west-1"
accessKeyId = "AKIAFAKE"
accessKeySecret = "fake-secret"
endpointUrl = "{url}"
connectTimeout = 1
attemptTimeout = 2

[web]
listen = ""

[pace]
rate = {rate}

[queue]
{queue}
answerWithin = 0.5
retryDelays = [0.1, 0.3, 1]
slowDelays = [0.2, 0.5, 1]
unseenDelays = [0.2, 1]
reportFrom = "reports@a.example"

[[templates]]
usageType = "SignIn"
subject = "Your code"
content = "<p>Your code is <b>{{{{code}}}}</b>.</p>"

[log]
format = "json"
"""
SPOOL = 'engine = "sqlite"\npath = "spool.db"'
DRAIN = 300.0  # seconds until mail that is not sent in good weather counts as lost
SETTLED = 0.2  # seconds until SES has read what a killed relay left in its sockets
START = 300.0  # seconds until a relay that is not ready counts as broken
# Log lines that tell of a bug, whatever became of the mail.
BUGS = {"attempt broken", "attempt not recorded", "observer broken", "a part broke"}


@dataclass(frozen=True)
class Plan:
    """How long: so many rounds, or until so many seconds have passed."""

    seed: int
    rounds: int = 0
    seconds: float = 0.0
    clients: int = 6
    lost_writes: bool = False  # a kill loses what was not synced, too


class Relay:
    """One life of the relay after the other, on one spool."""

    shares = False  # its queue with other relays
    grace = 6  # seconds

    def __init__(
        self,
        directory: Path,
        url: str,
        rate: str = "30000",
        disk: ForgetfulDisk | None = None,
        queue: str = SPOOL,
        command: str = "serve",
    ) -> None:
        # Above what the clients send (8,000 recipients a second where the machine is
        # fast), also after a throttled call, which halves it.
        self.spool = directory / "spool.db"
        self.port: int | None = None
        self.bugs: list[str] = []
        self._directory = directory
        self._disk = disk
        self._process: RelayProcess | None = None
        self._command = command
        self._killed = False
        (directory / "config.toml").write_text(
            CONFIG.format(url=url, rate=rate, queue=queue, grace=self.grace)
        )

    def start(self) -> None:
        """Begin a life; returns when mail can be taken."""
        relay = ["-W", "error", "-m", "relay", self._command, "-c", "config.toml"]
        process = subprocess.Popen(
            [sys.executable, *relay],
            cwd=self._directory,
            env=environment(self.settings()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._process = RelayProcess(process)
        end = time.monotonic() + START
        while not any(entry["event"] == "ready" for entry in self._process.log):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"no start:\n{''.join(self._process.stderr)}")
            time.sleep(0.01)
        self._killed = False
        if self._command == "serve":
            self.port = self._process.port()

    def settings(self) -> Mapping[str, str]:
        """What this life has in its environment."""
        return self._disk.environment if self._disk else {}

    def ended(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Look at all that a life has logged."""
        self.bugs += [f"the log says: {one}" for one in lines if one["event"] in BUGS]

    @property
    def pid(self) -> int:
        """Its process' id."""
        assert self._process is not None
        return self._process.process.pid

    @property
    def lives(self) -> bool:
        """Tell whether its process runs."""
        return self._process is not None and self._process.process.poll() is None

    def kill(self) -> None:
        """End it at once, wherever it is."""
        assert self._process is not None
        self.port = None
        self._killed = True
        self._process.process.kill()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End a life with a signal, or see its end; give its exit code."""
        process = self._process
        assert process is not None
        code = process.wait() if self._killed else process.stop(number)
        self.port = self._process = None
        for stream in (process.process.stdout, process.process.stderr):
            assert stream is not None
            stream.close()
        if self._disk is not None:
            if code < 0:
                self._disk.forget()
            else:
                self._disk.flush()
        self.ended(process.log)
        self.bugs += [line for line in process.stderr if line.startswith("Traceback")]
        return code

    def wait_for_the_last(self) -> int:
        """Wait until no mail waits or is being sent; give how many still do."""
        end = time.monotonic() + DRAIN
        while left := self.open_mails():
            if time.monotonic() > end or not self.lives:
                break
            time.sleep(0.1)
        return left

    def open_mails(self) -> int:
        """How many mails wait or are being sent."""
        connection = file.opened(self.spool, write=False)
        try:
            question = "SELECT count(*) FROM job WHERE state IN ('queued', 'sending')"
            return int(connection.execute(question).fetchone()[0])
        finally:
            connection.close()


async def run(
    plan: Plan,
    directory: Path,
    tell: Callable[[str], None] = lambda line: None,
    made: Callable[[str], Relay] | None = None,
) -> Verdict:
    """Kill and restart by `plan`, let all mail end, and judge.

    `made` makes the relay that sends to an SES at some url; else one has a spool.
    """
    began = time.monotonic()
    killed: dict[int, float] = {}
    wrong: list[str] = []
    numbers = itertools.count(1)
    async with FaultySes(Random(plan.seed), STORM) as ses:
        disk = ForgetfulDisk(directory) if plan.lost_writes else None
        relay = made(ses.url) if made else Relay(directory, ses.url, disk=disk)
        clients = [
            Client(numbers, lambda: relay.port, Random(f"{plan.seed} {n}"))
            for n in range(plan.clients)
        ]
        for client in clients:
            client.start()
        try:
            for life in itertools.count():
                over = (
                    time.monotonic() - began > plan.seconds
                    if plan.seconds
                    else (life >= plan.rounds)
                )
                if over:
                    break
                # Its own, so that a life's end hangs by no number of calls before it.
                random = Random(f"{plan.seed} life {life}")
                ses.life = life
                ses.weather = (MILD, STORM, CALM, STORM)[life % 4]
                await asyncio.to_thread(relay.start)
                if random.random() < 0.2:
                    await asyncio.sleep(random.uniform(0.2, 2))
                    code = await asyncio.to_thread(relay.end)
                    if code != 0:
                        wrong.append(f"life {life}: exit code {code} after SIGTERM")
                else:
                    await _kill_sometime(relay, ses, random)
                    killed[life] = time.monotonic()
                    await asyncio.to_thread(relay.end)
                    # What it had sent is read, and counts as this life's, not the next.
                    await asyncio.sleep(SETTLED)
                if life % 20 == 19:
                    tell(
                        f"{life + 1} rounds, {sum(len(c.tries) for c in clients)} mails"
                    )
        finally:
            for client in clients:
                client.stop()
        ses.weather = CALM
        ses.life += 1
        await asyncio.to_thread(relay.start)
        for client in clients:
            await asyncio.to_thread(client.join)
        left = await asyncio.to_thread(relay.wait_for_the_last)
        code = await asyncio.to_thread(relay.end)
        strange = [one.wrong for one in ses.requests if one.wrong]
    tries = [one for c in clients for one in c.tries]
    verdict = judge(tries, ses.calls, killed, shared=relay.shares)
    verdict.figures["rounds"] = ses.life
    verdict.figures["killed"] = len(killed)
    verdict.faults += wrong + relay.bugs + [f"not a call: {one}" for one in strange]
    if left or code:
        verdict.faults.append(f"at the end: {left} mails left, exit code {code}")
    return verdict


async def _kill_sometime(relay: Relay, ses: FaultySes, random: Random) -> None:
    """Kill at a random moment, or just when SES read a call or answered one."""
    dead = asyncio.Event()

    def strike() -> None:
        if not dead.is_set():
            relay.kill()
            dead.set()

    shuts = random.random() < 0.2
    if shuts:
        await ses.shut()
    left = random.randrange(1, 200)

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            strike()

    match random.choice(["any", "read", "answer"]):
        case "read":
            ses.on_read = count
        case "answer":
            ses.on_answer = count
    try:
        async with asyncio.timeout(random.uniform(0.1, 3)):
            if shuts:
                await asyncio.sleep(random.uniform(0.1, 1))
                await ses.reopen()
            await dead.wait()
    except TimeoutError:
        strike()
    finally:
        ses.on_read = ses.on_answer = lambda: None
        await ses.reopen()


def seed() -> int:
    """A seed that nobody chose."""
    return int.from_bytes(os.urandom(4))
