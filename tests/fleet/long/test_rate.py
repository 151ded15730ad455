"""Relays and a worker that share the rate of one account, which SES enforces.

None knows of the others: what each learns of them is what SES refuses.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import smtplib
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from relay.fleet.aws import FleetSettings
from tests.fake_ses import Answer, FakeSes, error
from tests.fleet.emulators import Emulator
from tests.fleet.relays import NO_FILE, sharing
from tests.server.relay_process import WAIT, RelayProcess, running_relay

CLIENTS = 40  # as many as send it though each waits for its relay's queue
OFFERED = 1.3  # of the rate, by all clients together, so that mail always waits
SETTLES = 30.0  # seconds after each change; 7 to 25 in the simulation
LASTS = 20.0  # seconds that count
# Who dies may have had most of it, and what is left grows by what SES takes of it.
GROWS_TO, GROWS_WITHIN = 0.9, 180.0  # of the rate, seconds
# Of the rate: what is asked for, and what SES takes.
MOST_ASKED, LEAST_TAKEN = 1.1, 0.7
MOST_REFUSED = 0.05  # of what is asked; at most 0.03 in the simulation
# Of an equal part. In so short a time it may be as little in the simulation, too.
LEAST_PART = 0.05
MAIL = b"From: a@b.example\r\nMessage-ID: <%d@b.example>\r\n\r\nhello\r\n"


@dataclass(frozen=True)
class Call:
    """A call on SES; `by`: the region that it was signed for, which each has alone."""

    at: float
    by: str
    taken: bool


class RatedSes(FakeSes):
    """Takes `rate` a second and no more, by a bucket that holds one second's."""

    def __init__(self, rate: float) -> None:
        super().__init__(seconds=0.1)
        self.rate = rate  # recipients a second
        self.calls: list[Call] = []
        self._tokens = rate
        self._at = time.monotonic()
        quota = {"Max24HourSend": 1_000_000, "MaxSendRate": rate, "SentLast24Hours": 0}
        self.resources["/v2/email/account"] = Answer(
            body=json.dumps({"SendingEnabled": True, "SendQuota": quota}).encode()
        )

    async def _do(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        seen, now = self.requests.pop(), time.monotonic()
        self._tokens = min(self._tokens + (now - self._at) * self.rate, self.rate)
        self._at = now
        taken = self._tokens >= 1.0
        self._tokens -= taken
        self.calls.append(Call(now, seen.region, taken))
        if not taken:
            answer = error(
                "TooManyRequestsException", 429, "Maximum sending rate exceeded"
            )
        return await super()._do(request, answer)


@contextmanager
def clients(rate: float, ports: Callable[[], list[int]]) -> Iterator[None]:
    """Send `rate` mails a second by whichever relays there are."""
    over, numbers = threading.Event(), itertools.count(1)

    def send(first: float) -> None:
        due = time.monotonic() + first
        while not over.is_set():
            there = ports()
            try:
                port = there[next(numbers) % len(there)]
                with smtplib.SMTP("127.0.0.1", port, timeout=WAIT) as smtp:
                    while not over.wait(max(due - time.monotonic(), 0)):
                        due = max(due + CLIENTS / rate, time.monotonic())
                        mail = MAIL % next(numbers)
                        smtp.sendmail("a@b.example", ["c@d.example"], mail)
            except (OSError, smtplib.SMTPException):
                pass  # its relay was killed, or the mail could not be kept

    threads = [threading.Thread(target=send, args=[n / rate]) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def pace_of(relay: RelayProcess) -> float:
    """Recipients a second that it allows itself."""
    url = f"http://127.0.0.1:{relay.port('health')}/metrics"
    with urllib.request.urlopen(url) as answer:
        found = re.search(r"^relay_pace (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])


class Fleet:
    """Relays and workers of one account, and what SES took of each."""

    def __init__(self, ses: RatedSes, place: FleetSettings) -> None:
        self._ses = ses
        self._place = place
        self._regions = (f"eu-west-{number}" for number in itertools.count(1))
        self._running: dict[str, RelayProcess] = {}
        self._ports: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, command: str = "serve") -> str:
        """Start one, and give the region that it signs for."""
        region = next(self._regions)
        settings = sharing(self._ses, self._place, RELAY_SES__REGION=region)
        made = running_relay(*NO_FILE, settings=settings, command=command)
        relay = self._running[region] = self._stack.enter_context(made)
        if command == "serve":
            self._ports[region] = relay.port()
        return region

    def kill(self, region: str) -> None:
        """End one at once."""
        del self._ports[region]
        self._running.pop(region).process.kill()

    def begin(self) -> None:
        """Have more mail come from now on than SES takes."""
        rate = OFFERED * self._ses.rate
        self._stack.enter_context(clients(rate, lambda: list(self._ports.values())))

    def shares(self) -> Mapping[str, int]:
        """Have it settle, and watch: what SES took of each, of at most its rate."""
        time.sleep(SETTLES)
        began = time.monotonic()
        while self._pace() < GROWS_TO:
            assert time.monotonic() < began + GROWS_WITHIN, "what one left is unused"
            time.sleep(0.5)
        began = time.monotonic()
        time.sleep(LASTS)
        calls = [call for call in tuple(self._ses.calls) if call.at >= began]
        taken = Counter(call.by for call in calls if call.taken)
        whole = self._ses.rate * LASTS
        refused = len(calls) - taken.total()
        pace = self._pace()
        print(
            f"of {whole:g}: {len(calls)} asked for, {refused} refused, "
            f"taken of each {sorted(taken.values())}, by paces of {pace:.2f} in all"
        )
        assert len(calls) < MOST_ASKED * whole
        # Less where the machine has too much else to do, whatever their paces allow.
        assert taken.total() > LEAST_TAKEN * whole or pace > GROWS_TO
        assert refused < MOST_REFUSED * len(calls)
        return taken

    def _pace(self) -> float:
        """What all of them allow themselves, as a part of the rate."""
        return sum(map(pace_of, self._running.values())) / self._ses.rate

    def share(self) -> None:
        """The same; and each that runs has its part, and nobody else."""
        taken = self.shares()
        assert taken.keys() == self._running.keys()
        assert min(taken.values()) > LEAST_PART * sum(taken.values()) / len(taken)


async def test_relays_keep_to_one_rate_and_follow_one_that_dies_and_one_that_joins(
    emulator: Emulator,
) -> None:
    # What SES grants many a new account.
    async with RatedSes(14.0) as ses:

        def work() -> None:
            with Fleet(ses, emulator.place()) as fleet:
                first, *_ = map(fleet.start, ("serve", "serve", "serve", "worker"))
                fleet.begin()
                fleet.share()
                fleet.kill(first)
                fleet.share()
                fleet.start()
                fleet.share()

        await asyncio.to_thread(work)
    assert not [one.wrong for one in ses.requests if one.wrong]


async def test_a_rate_of_one_a_second_for_each_is_not_asked_for_much_more(
    emulator: Emulator,
) -> None:
    # Each by itself, as relays without a shared queue do it, would ask for 12 % more.
    async with RatedSes(4.0) as ses:

        def work() -> None:
            with Fleet(ses, emulator.place()) as fleet:
                for command in ("serve", "serve", "serve", "worker"):
                    fleet.start(command)
                fleet.begin()
                fleet.shares()

        await asyncio.to_thread(work)
