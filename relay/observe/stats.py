"""Counts and times of what happened, and the last hour of them; standard library only.

An observer that only counts, since each mail waits for it. Who shows the numbers,
to Prometheus or to people, reads them here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from relay.model.job import Failed, Queued, Sent
from relay.model.mail import DEFAULT
from relay.model.outcome import Accepted, Deferred, Outcome
from relay.model.reply import Reply
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    NotTaken,
    Overtaken,
    Settled,
)

# What a submission came to, as its client heard it.
OUTCOMES = (
    "accepted",
    "queued",
    "deferred",
    "rejected",
    "refused",
    "dropped",
    "repeated",
)

# The beginning of a reply -> the class of SES' answer; the first that fits counts.
_CLASSES = (
    ("454 4.4.5", "throttled"),
    ("454 4.3.2 Throttling", "quota"),
    ("454 4.3.2", "paused"),
    ("554 5.7.1 Message rejected: sending suspended", "suspended"),
    ("554 5.7.1 Message rejected", "not_verified"),
    ("554 5.7.1", "access_denied"),
    ("554 5.6.0 Message rejected", "content"),
    ("554 5.1.8", "mail_from"),
    ("451 4.3.5 Relay configuration", "not_found"),
    ("451 4.3.5", "credentials"),
    ("454 4.7.0", "credentials"),
    ("554 5.3.5", "not_found"),
    ("553 5.1.3", "address"),
    ("554 5.6.0", "bad_request"),
    ("552 5.3.4", "too_long"),
    ("451 4.4.1", "unreachable"),
    ("454 4.7.5", "tls"),
    ("451 4.4.2", "no_answer"),
    ("451 4.3.0 Temporary", "service_failure"),
)

# Seconds; Prometheus' histograms have these upper bounds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Finer ones for percentiles: each a fifth above the one before, 0.5 ms to 60 s.
_FINE = tuple(0.0005 * 1.2**step for step in range(65))

POINT = 5.0  # seconds of one point of the plots
POINTS = 720  # an hour


def answer_class(outcome: Outcome) -> str:
    """The class of an attempt's answer: one of some twenty words."""
    if isinstance(outcome, Accepted):
        return "accepted"
    return reply_class(outcome.reply)


def reply_class(reply: Reply) -> str:
    """The same, by the reply that the answer comes to."""
    said = str(reply)
    return next((name for start, name in _CLASSES if said.startswith(start)), "unknown")


def outcome_of(event: Answered) -> str:
    """What a submission came to, in one of the words of OUTCOMES."""
    if event.reply.code == 250:
        return "accepted" if isinstance(event.outcome, Accepted) else "queued"
    return "rejected" if event.reply.code >= 500 else "deferred"


@dataclass(slots=True)
class Histogram:
    """How many values lay below each bound; the last count is of those above all."""

    bounds: tuple[float, ...] = BOUNDS
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def percentile(self, part: float) -> float | None:
        """The bound that `part` of the values lie below; None: there are none."""
        count = sum(self.counts)
        if not count:
            return None
        wanted, seen = part * count, 0
        for bound, here in zip(self.bounds, self.counts, strict=False):
            seen += here
            if seen >= wanted:
                return bound
        return self.bounds[-1]


@dataclass(frozen=True, slots=True)
class AccountNow:
    """How one account stands, as `Now` says it of `[ses]`."""

    account: str
    fallback: str | None = None
    paused: str = ""
    rate: float | None = None
    full_rate: float | None = None
    quota: float | None = None
    quota_used: float | None = None


@dataclass(frozen=True, slots=True)
class Now:
    """How things stand at a moment; None: there is no such thing here.

    `oldest` is the age of the oldest waiting mail in seconds, `rate` the present pace
    and `full_rate` the one without throttling, in recipients per second. `quota` and
    `quota_used` count the recipients of 24 hours, as SES said last. `accounts` are
    all of them, `[ses]` first, where there are several.
    """

    waiting: int | None = None
    sending: int | None = None
    oldest: float | None = None
    rate: float | None = None
    full_rate: float | None = None
    connections: int = 0
    memory: int = 0
    memory_limit: int = 0
    paused: str = ""
    quota: float | None = None
    quota_used: float | None = None
    accounts: tuple[AccountNow, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """Five seconds of the last hour; `at` is Unix seconds, times are seconds."""

    at: float
    counts: dict[str, int]
    p50: float | None
    p95: float | None
    p99: float | None
    waiting: int | None
    oldest: float | None
    rate: float | None


class Stats:
    """Counts events; `usages` are those that metrics name, all others are `other`."""

    def __init__(
        self,
        *,
        usages: Collection[str],
        several_accounts: bool = False,
        now: Callable[[], Now] = Now,
    ) -> None:
        self._usages = frozenset(usages)
        self.now = now
        # By outcome, usage, locale of the template, and the rule where there is one.
        self.mails: Counter[tuple[str, ...]] = Counter()
        self.recipients: Counter[str] = Counter()  # by outcome
        self.bytes = 0
        self.seconds = {name: Histogram() for name in OUTCOMES}
        self.attempts: Counter[str] = Counter()  # by class of the answer
        self.attempt_seconds = Histogram()
        self.ends: Counter[str] = Counter()  # of mail in the queue, by state
        self.reports = 0
        # Where there are several accounts: by the one asked, and class of its answer;
        # and by the mail's own and the one asked instead.
        self._several = several_accounts
        self.account_attempts: Counter[tuple[str, str]] = Counter()
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        # What an operator must repair, by the account that took no mail after it.
        self.alarms: dict[str, Deferred] = {}
        self.lag = Histogram((0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0))
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._here: Counter[str] = Counter()
        self._times = Histogram(_FINE)
        self._watching: list[Callable[[Point], None]] = []

    def __call__(self, event: Event) -> None:
        match event:
            case Attempted(outcome=outcome, seconds=seconds, by=by):
                answer = answer_class(outcome)
                self.attempts[answer] += 1
                self.attempt_seconds.add(seconds)
                if isinstance(outcome, Accepted):
                    if self.alarms:
                        self.alarms.pop(by, None)
                elif isinstance(outcome, Deferred) and outcome.alarm:
                    self.alarms[by] = outcome
                if self._several:
                    self.account_attempts[by or DEFAULT, answer] += 1
                    if by != (own := event.mail.options.account):
                        self.fallbacks[own or DEFAULT, by or DEFAULT] += 1
            case Answered():
                name = outcome_of(event)
                choice = event.mails[0].choice
                usage = self._usage(choice.usage)
                rule = (choice.rule,) if choice.rule else ()
                self.mails[name, usage, choice.locale, *rule] += 1
                self.recipients[name] += len(event.submission.envelope.recipients)
                self.bytes += len(event.submission.content)
                self._took(name, event.seconds)
            case NotTaken(submission=submission, seconds=seconds, why=why):
                ruled = (event.rule,) if event.rule else ()
                usage = self._usage(submission.usage)
                self.mails[why, usage, "", *ruled] += 1
                self.recipients[why] += len(submission.envelope.recipients)
                self.bytes += len(submission.content)
                self._took(why, seconds)
            case Settled(state=Sent()):
                self.ends["sent"] += 1
            case Settled(state=Failed(), reports=reports):
                self.ends["failed"] += 1
                self.reports += len(reports)
            case Settled(state=Queued()):
                pass
            case Settled() | Overtaken():
                self.ends["superseded"] += 1

    def _usage(self, usage: str) -> str:
        # A client may write what it likes there, and each name would be a series.
        return usage if usage in self._usages or not usage else "other"

    def _took(self, name: str, seconds: float) -> None:
        self.seconds[name].add(seconds)
        self._here[name] += 1
        self._times.add(seconds)

    def lagged(self, seconds: float) -> None:
        """The event loop came back that much later than it was asked to."""
        self.lag.add(seconds)

    def on_point(self, told: Callable[[Point], None]) -> None:
        """Have `told` called with each new point of the last hour."""
        self._watching.append(told)

    def tick(self, at: float) -> None:
        """End a point of the last hour; `at` is Unix seconds."""
        now = self.now()
        times = self._times
        point = Point(
            at,
            dict(self._here),
            times.percentile(0.5),
            times.percentile(0.95),
            times.percentile(0.99),
            now.waiting,
            now.oldest,
            now.rate,
        )
        self._here = Counter()
        self._times = Histogram(_FINE)
        self.points.append(point)
        for told in self._watching:
            told(point)
