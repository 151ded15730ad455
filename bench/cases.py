"""What is measured: the cases, and the sets of them that a run can ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Literal

SMALL = 4_000
MIDDLE = 100_000
# What `limits.messageSize` allows, less what a template or a header may add.
LARGE = 39_900_000

Queue = Literal["none", "sqlite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of using a relay: who sends what, and how SES answers."""

    sessions: int
    size: int = SMALL
    per_connection: int = 0  # mails on one connection; 0: as many as there is time
    templated: bool = False
    queue: Queue = "none"
    delay_ms: int = 50  # until SES answers
    far: bool = False  # which is its distance, for TCP and TLS too
    faults: str = ""  # of SES, each with its percentage of the calls
    large_sessions: int = 0  # that send mail of LARGE bytes meanwhile
    pipelining: bool = False
    rules: int = 0  # in the settings, of which the mail fits none

    @property
    def name(self) -> str:
        """The case in words that fit into a table."""
        words = [
            f"{self.sessions} session" + ("s" if self.sessions > 1 else ""),
            f"{self.size // 1000} kB",
            "a connection per mail" if self.per_connection == 1 else "many mails",
        ]
        if self.templated:
            words.append("templated")
        if self.queue != "none":
            words.append(self.queue)
        if self.rules:
            words.append(f"{self.rules} rules")
        if self.pipelining:
            words.append("pipelining")
        if self.large_sessions:
            words.append(f"beside {self.large_sessions} sending 40 MB")
        words.append(f"SES {self.delay_ms} ms" + (" away" if self.far else ""))
        if self.faults:
            words.append(self.faults.replace("=", " ").replace(",", " % ") + " %")
        return ", ".join(words)

    @property
    def mixed(self) -> bool:
        """Small mail beside large, where a figure per mail would tell nothing."""
        return self.large_sessions > 0

    @property
    def plain(self) -> Case:
        """The same for a relay that has no templates, no queue and no rules."""
        return replace(self, templated=False, queue="none", faults="", rules=0)

    def as_json(self) -> dict[str, Any]:
        """The case as a JSON object."""
        return asdict(self)


# The table of the goal: each row is held against the baseline in the same row.
GOAL = (
    Case(sessions=200),
    Case(sessions=200, per_connection=1),
    Case(sessions=200, templated=True),
    Case(sessions=200, queue="sqlite"),
    Case(sessions=200, per_connection=1, queue="sqlite"),
    Case(sessions=50, size=MIDDLE),
    Case(sessions=50, size=MIDDLE, queue="sqlite"),
    # How long others wait while large mail is built; SES' own time would hide it.
    Case(sessions=10, delay_ms=0, large_sessions=2),
)
QUICK = (Case(sessions=200), Case(sessions=200, per_connection=1))
RULES = tuple(Case(sessions=200, rules=rules) for rules in (0, 50))
DURABILITY = tuple(
    Case(sessions=sessions, delay_ms=delay_ms, queue=queue)
    for delay_ms in (50, 0)
    for sessions in (1, 10, 50)
    for queue in ("none", "sqlite")
)

# What a bad day is like: each against the baseline of a good one.
WEATHER = (
    Case(sessions=200, queue="sqlite", faults="throttle=33"),
    Case(
        sessions=200,
        queue="sqlite",
        faults="throttle=10,internal=5,unavailable=3,refuse=5,reset=1",
    ),
    Case(sessions=200, faults="throttle=10,internal=5,unavailable=3,refuse=5,reset=1"),
    Case(sessions=200, delay_ms=80, far=True),
    Case(sessions=200, delay_ms=80, far=True, queue="sqlite"),
)


def _full() -> Iterator[Case]:
    for delay_ms, queue, templated, size, per_connection, sessions in product(
        (50, 0),
        ("none", "sqlite"),
        (False, True),
        (SMALL, MIDDLE),
        (0, 1),
        (1, 50, 200),
    ):
        yield Case(
            sessions=sessions,
            size=size,
            per_connection=per_connection,
            templated=templated,
            queue="sqlite" if queue == "sqlite" else "none",
            delay_ms=delay_ms,
        )


FULL = tuple(_full())
