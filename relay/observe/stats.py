"""Counts and times of what happened; standard library only.

An observer that only counts, since each mail waits for it. Who shows the numbers,
to Prometheus or to people, reads them here; what of it happened in five seconds is
told to who wants to know.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.model.cause import reply_class
from relay.model.feedback import Feedback
from relay.model.job import Failed, Queued, Sent
from relay.model.mail import DEFAULT
from relay.model.outcome import Accepted, Deferred, Outcome
from relay.model.slip import KINDS
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    FedBack,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.ring import NONE, Point
from relay.observe.spread import BOUNDS as SPREAD
from relay.observe.spread import packed
from relay.observe.webhook import WebhookFigures

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

# What SES' answers have in common for who looks: it took the mail; mail comes too fast;
# this mail is refused; all mail of an account or a sender is, or the settings are
# wrong; nobody answered, or SES has trouble of its own.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "accepted": ("accepted",),
    "throttled": ("throttled",),
    "mail": ("content", "address", "suppressed", "bad_request", "too_long"),
    "account": (
        *("quota", "paused", "suspended", "not_verified", "access_denied"),
        *("mail_from", "not_found", "credentials", "unknown"),
    ),
    "unreachable": ("unreachable", "tls", "no_answer", "service_failure"),
}

# Seconds; Prometheus' histograms have these upper bounds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# Seconds from SES' taking a mail to its delivery.
DELIVERY_BOUNDS = (
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
    *(900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0),
)
BOUNCES = ("Permanent", "Transient", "Undetermined")  # others are "other"

# Answers that are about who sends, and say nothing of other people's mail.
_OF_A_SENDER = ("not_verified", "mail_from")
MOST_ALARMS = 20


def answer_class(outcome: Outcome) -> str:
    """The class of an attempt's answer: one of some twenty words."""
    if isinstance(outcome, Accepted):
        return "accepted"
    return reply_class(outcome.reply)


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
    all of them, `[ses]` first, where there are several. `suppressed` are the
    addresses that get no mail, `suppression_refused` counts recipients, by reason.
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
    suppressed: int | None = None
    suppression_refused: Mapping[str, int] | None = None


class Alarm(NamedTuple):
    """An answer that an operator must act on; `at` is of the monotonic clock."""

    outcome: Deferred
    at: float
    recipients: tuple[str, ...]  # of the mail: in the sandbox SES refuses it for them


class Stats:
    """Counts events; `usages` are those that metrics name, all others are `other`."""

    def __init__(
        self,
        *,
        usages: Collection[str],
        several_accounts: bool = False,
        now: Callable[[], Now] = Now,
    ) -> None:
        self.now = now
        # Why nothing is heard of mail that SES took, "" for no reason.
        self.deaf: Callable[[], str] = lambda: ""
        self.webhooks: Callable[[], Sequence[WebhookFigures]] = tuple
        # By outcome, usage, locale of the template, and the rule where there is one.
        self.mails: Counter[tuple[str, ...]] = Counter()
        self.recipients: Counter[str] = Counter()  # by outcome
        self.bytes = 0
        self.slips = Counter(dict.fromkeys(KINDS, 0))
        self.seconds = {name: Histogram() for name in OUTCOMES}
        self.attempts: Counter[str] = Counter()  # by class of the answer
        self.attempt_seconds = Histogram()
        self.ends: Counter[str] = Counter()  # of mail in the queue, by state
        self.reports = 0
        # What SES told later, by kind and a bounce's type: recipients of the relay's
        # own mail. And messages of its queue that tell nothing of it.
        self.told: Counter[tuple[str, str]] = Counter()
        self.strays: Counter[str] = Counter()
        self.delivery_seconds = Histogram(DELIVERY_BOUNDS)
        # Where there are several accounts: by the one asked, and class of its answer;
        # and by the mail's own and the one asked instead.
        self.take(usages=usages, several_accounts=several_accounts)
        self.account_attempts: Counter[tuple[str, str]] = Counter()
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        # What an operator must repair, by the account that took no mail after it, and
        # the sender where the answer is about the sender alone, else "".
        self.alarms: dict[tuple[str, str], Alarm] = {}
        self.lag = Histogram((0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0))
        # Since the last point: the times of answers. What else a point says is what
        # the counters say more than at the last one.
        self._times = [0] * (len(SPREAD) + 1)
        self._before: Mapping[str, int] = NONE
        self._attempts_before: Mapping[str, int] = NONE
        self._watching: list[Callable[[Point], None]] = []

    def take(self, *, usages: Collection[str], several_accounts: bool) -> None:
        """Go on by other settings; what was counted stays."""
        self._usages = frozenset(usages)
        self._several = several_accounts

    def __call__(self, event: Event) -> None:
        match event:
            case Attempted(outcome=outcome, seconds=seconds, by=by):
                answer = answer_class(outcome)
                self.attempts[answer] += 1
                self.attempt_seconds.add(seconds)
                if isinstance(outcome, Accepted):
                    if self.alarms:
                        self.alarms.pop((by, ""), None)
                        self.alarms.pop((by, event.mail.envelope.sender or ""), None)
                elif isinstance(outcome, Deferred) and outcome.alarm:
                    self._alarm(event, answer, outcome)
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
                for slip in event.slips:
                    self.slips[slip.kind] += 1
                self._took(name, event.seconds)
            case NotTaken(submission=submission, seconds=seconds, why=why):
                ruled = (event.rule,) if event.rule else ()
                usage = self._usage(submission.usage)
                self.mails[why, usage, "", *ruled] += 1
                self.recipients[why] += len(submission.envelope.recipients)
                self.bytes += len(submission.content)
                for slip in event.slips:
                    self.slips[slip.kind] += 1
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
            case FedBack(mail_id, told):
                if mail_id:
                    self._told(told)
                else:
                    self.strays["foreign"] += 1

    def _told(self, told: Feedback) -> None:
        type_ = ""
        if told.kind == "bounce":
            type_ = told.type if told.type in BOUNCES else "other"
        recipients = max(len(told.recipients), 1)
        self.told[told.kind, type_] += recipients
        if told.kind == "delivery" and told.accepted_at is not None:
            for _ in range(recipients):
                self.delivery_seconds.add(max(told.at - told.accepted_at, 0.0))

    def _usage(self, usage: str) -> str:
        # A client may write what it likes there, and each name would be a series.
        return usage if usage in self._usages or not usage else "other"

    def _alarm(self, event: Attempted, answer: str, outcome: Deferred) -> None:
        of_sender = answer in _OF_A_SENDER
        sender = (event.mail.envelope.sender or "") if of_sender else ""
        self.alarms.pop((event.by, sender), None)
        while len(self.alarms) >= MOST_ALARMS:
            del self.alarms[next(iter(self.alarms))]
        to = event.mail.envelope.recipients
        self.alarms[event.by, sender] = Alarm(outcome, time.monotonic(), to)

    def _took(self, name: str, seconds: float) -> None:
        self.seconds[name].add(seconds)
        self._times[bisect_left(SPREAD, seconds)] += 1

    def lagged(self, seconds: float) -> None:
        """The event loop came back that much later than it was asked to."""
        self.lag.add(seconds)

    def on_point(self, told: Callable[[Point], None]) -> None:
        """Have `told` called with each five seconds."""
        self._watching.append(told)

    def tick(self, at: float) -> None:
        """End a point; `at` is Unix seconds."""
        counts = {name: sum(one.counts) for name, one in self.seconds.items()}
        attempts = dict(self.attempts)
        if self._watching:
            now = self.now()
            point = Point(
                at,
                counts=_more(counts, self._before),
                answers=_more(attempts, self._attempts_before),
                times=packed(self._times),
                waiting=now.waiting,
                oldest=now.oldest,
                rate=now.rate,
            )
            for told in self._watching:
                told(point)
        self._before, self._attempts_before = counts, attempts
        self._times = [0] * (len(SPREAD) + 1)


def _more(counts: Mapping[str, int], before: Mapping[str, int]) -> Mapping[str, int]:
    """What was counted since `before`."""
    return {
        name: more
        for name, count in counts.items()
        if (more := count - before.get(name, 0))
    } or NONE
