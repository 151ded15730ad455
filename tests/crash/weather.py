"""An SES with weather: the fake SES that fails at random, and knows what it took."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from aiohttp import web

from tests.fake_ses import Answer, FakeSes, Request, error

_NUMBER = re.compile(rb"Message-ID: <crash-(\d+)@")


@dataclass(frozen=True)
class Fault:
    """What SES says, whether it took the mail, and whether its word can be heard."""

    answer: Answer
    took: bool = False
    seen: bool = True
    final: bool = False  # it would be refused again


FAULTS: Mapping[str, Fault] = {
    "none": Fault(Answer(), took=True),
    "slow": Fault(Answer(seconds=0.2), took=True),
    "very slow": Fault(Answer(seconds=1.0), took=True),
    "throttled": Fault(error("TooManyRequestsException", 429, "Maximum rate exceeded")),
    "quota": Fault(
        error("LimitExceededException", 400, "Daily message quota exceeded.")
    ),
    "paused": Fault(error("SendingPausedException")),
    "suspended": Fault(error("AccountSuspendedException")),
    "denied": Fault(error("AccessDeniedException", 403)),
    "unverified": Fault(
        error("MessageRejected", 400, "Email address is not verified: x@y.example")
    ),
    "strange": Fault(error("NobodyKnowsException")),
    "refused": Fault(error("MessageRejected", 400, "Bad content."), final=True),
    "500": Fault(Answer(500), seen=False),
    "taken, 500": Fault(Answer(500), took=True, seen=False),
    "reset": Fault(Answer(then="reset"), seen=False),
    "taken, reset": Fault(Answer(then="reset"), took=True, seen=False),
    "taken, closed": Fault(Answer(then="close"), took=True, seen=False),
    "hang": Fault(Answer(then="hang"), seen=False),
    "taken, hang": Fault(Answer(then="hang"), took=True, seen=False),
    "taken, strange 200": Fault(Answer(body=b"{}"), took=True, seen=False),
}
CALM = {"none": 1.0}
# Most clients hear SES' own answer, and now and then a call goes wrong.
MILD = {
    "none": 200.0,
    "slow": 10,
    "refused": 10,
    "unverified": 6,
    "throttled": 0.2,
    "denied": 1,
    "strange": 1,
    "taken, 500": 1,
    "taken, reset": 1,
}
STORM = {
    "none": 60.0,
    "slow": 8,
    "very slow": 2,
    "throttled": 1,
    "quota": 0.3,
    "paused": 0.3,
    "suspended": 0.3,
    "denied": 1,
    "unverified": 2,
    "strange": 1,
    "refused": 3,
    "500": 2,
    "taken, 500": 2,
    "reset": 2,
    "taken, reset": 3,
    "taken, closed": 1,
    "hang": 0.5,
    "taken, hang": 0.5,
    "taken, strange 200": 1,
}


@dataclass(frozen=True)
class Call:
    """One SendEmail that was read whole."""

    mail: int
    recipients: tuple[str, ...]
    digest: bytes
    report: bool
    life: int  # of the relay
    at: float
    fault: str
    message_id: str = ""  # that SES gave it, whoever heard of it

    @property
    def took(self) -> bool:
        return FAULTS[self.fault].took


def number_of(mail: bytes) -> int:
    """The number of a client's mail, or of the mail that a report is about."""
    found = _NUMBER.search(mail)
    assert found, "a mail that nobody sent"
    return int(found[1])


class FaultySes(FakeSes):
    """A fake SES in some `weather`: how often it fails in which way.

    `first` is what the first call on each mail meets, whatever the weather.
    """

    def __init__(self, random: Random, weather: Mapping[str, float] = CALM) -> None:
        super().__init__()
        self.weather = weather
        self.calls: list[Call] = []
        self.life = 0
        self.first = ""
        self.on_read: Callable[[], None] = lambda: None
        self.on_answer: Callable[[], None] = lambda: None
        self._random = random
        self._busy: Counter[asyncio.BaseTransport | None] = Counter()

    async def _do(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        seen = self.requests.pop()  # thousands of them would fill the memory
        mail = seen.mail
        report = b"multipart/report" in mail
        names, weights = list(self.weather), list(self.weather.values())
        (name,) = self._random.choices(names, weights)
        if report and FAULTS[name].final:
            name = "none"  # about a report that is refused there is no report
        number = number_of(mail)
        if self.first and all(call.mail != number for call in self.calls):
            name = self.first
        message_id = f"0100fake-{len(self.calls) + 1:06d}"
        self.calls.append(
            Call(
                number,
                tuple(seen.parameters["Destination"]["ToAddresses"]),
                hashlib.sha256(mail).digest(),
                report,
                self.life_of(seen),
                time.monotonic(),
                name,
                message_id,
            )
        )
        self.on_read()
        line = request.transport
        self._busy[line] += 1
        answer = FAULTS[name].answer
        if answer.status == 200 and answer.body is None:
            answer = replace(
                answer, body=json.dumps({"MessageId": message_id}).encode()
            )
        response = await super()._do(request, answer)
        # When the answer has left, or has just not.
        loop = asyncio.get_running_loop()
        loop.call_later(self._random.uniform(0, 0.01), self.on_answer)
        loop.call_later(0.1, self._busy.subtract, [line])
        return response

    def life_of(self, seen: Request) -> int:
        """The life that made a call."""
        return self.life

    async def shut(self) -> None:
        """Refuse connections from now on; those that are open go on."""
        await self._stop_listening()

    async def vanish(self) -> None:
        """Refuse connections, and close those that are open when they are answered."""
        await self.shut()
        assert self._runner is not None
        assert self._runner.server is not None
        while connections := self._runner.server.connections:
            for connection in connections:
                if not self._busy[connection.transport]:
                    connection.force_close()
            await asyncio.sleep(0.01)

    async def reopen(self) -> None:
        """Take connections again, on the same port."""
        assert self._runner is not None
        if not self._runner.sites:
            await self._listen()
