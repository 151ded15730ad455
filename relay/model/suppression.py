"""Who gets no mail any more, and what makes and ends that; pure.

Facts come more than once and in any order: what is known after all of them is the same.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, Protocol

from relay.model.feedback import HARD, Feedback
from relay.model.replies import suppressed
from relay.model.reply import Reply

Reason = Literal["bounce", "complaint", "manual"]
Source = Literal["event", "hand", "import", "ses"]

# What outweighs what, where an address has several reasons.
REASONS: Final[tuple[Reason, ...]] = ("bounce", "complaint", "manual")
SOURCES: Final[tuple[Source, ...]] = ("event", "hand", "import", "ses")

# Of hard bounces, those that are about the address. The others are about one tenant,
# one list or a guess of SES'; new ones are let be until somebody has looked at them.
HARD_SUBTYPES = frozenset(
    {"General", "NoEmail", "Suppressed", "OnAccountSuppressionList"}
)
# Of soft bounces, those that are about the mailbox, and not about one mail.
SOFT_SUBTYPES = frozenset({"General", "MailboxFull"})
# Reports that say the opposite, or nothing of what the recipient wants.
NO_COMPLAINTS = frozenset({"not-spam", "auth-failure"})
SOFT = "soft bounces"  # the detail of who bounced softly, time and again

MOST_SOFT = 100  # of them are remembered


def compared(address: str) -> str:
    """The address as it is compared: in lower case, since no provider tells two apart.

    A tag, as in `ann+shop@`, is a part of it.
    """
    return address.lower()


def digest(address: str) -> int:
    """A short hash of an address as it is compared."""
    found = hashlib.sha256(address.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(found[:8])


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address, as it is compared, that gets no mail.

    `at`, in Unix seconds, is when what `reason` says happened last. `detail` is a
    word more: `Permanent/General`, `abuse`, what an operator notes.
    """

    address: str
    reason: Reason
    at: float
    source: Source = "event"
    detail: str = ""

    @property
    def weight(self) -> tuple[int, float]:
        """Of two for one address the heavier one holds."""
        return REASONS.index(self.reason), self.at

    def is_over(self, now: float, keep_bounces: float) -> bool:
        """Tell whether it has lapsed, as bounces do that SES told of; 0: none does.

        What somebody entered by hand or from a list stays until it is removed so.
        """
        lapses = self.reason == "bounce" and self.source == "event" and keep_bounces > 0
        return lapses and self.at + keep_bounces <= now

    @property
    def reply(self) -> Reply:
        """What a client hears who has mail for it."""
        since = time.strftime("%Y-%m-%d", time.gmtime(self.at))
        match self.reason:
            case "bounce" if self.detail == SOFT:
                why = SOFT
            case "bounce":
                why = "hard bounce"
            case "complaint":
                why = "complaint"
            case _:
                why = "by the operator"
        return suppressed(since, why)


class Soft(NamedTuple):
    """A soft bounce; `key` is the same for each copy of it."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Past:
    """What else is remembered of an address; times are Unix seconds, 0: never.

    `soft` are the bounces since mail was last delivered to it.
    """

    removed: float = 0.0
    delivered: float = 0.0
    soft: tuple[Soft, ...] = ()

    def outdates(self, entry: Suppressed) -> bool:
        """Tell whether the address was removed by hand since."""
        return self.removed > 0 and entry.at <= self.removed


NO_PAST = Past()


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of an address."""

    entry: Suppressed | None = None
    past: Past = NO_PAST

    def suppressed(self, entry: Suppressed) -> Known:
        """The same with this entry, unless it was removed since, or a heavier holds."""
        if self.past.outdates(entry):
            return self
        if self.entry is not None and self.entry.weight >= entry.weight:
            return self
        return replace(self, entry=entry)

    def removed(self, at: float) -> Known:
        """The same after its removal by hand: it begins anew."""
        past = Past(max(at, self.past.removed), self.past.delivered)
        later = self.entry is not None and self.entry.at > at
        return Known(self.entry if later else None, past)


@dataclass(frozen=True, slots=True)
class Fact:
    """What SES said of one address; `key` is the same for each copy."""

    address: str = field(repr=False)
    kind: Literal["hard", "complaint", "soft", "delivery"]
    at: float
    key: str
    detail: str = ""


def facts(feedback: Feedback) -> Iterator[Fact]:
    """What of it matters here, for each of its recipients."""
    kind: Literal["hard", "complaint", "soft", "delivery"]
    detail = feedback.what
    match feedback.kind:
        case "delivery":
            kind = "delivery"
        case "complaint" if feedback.complaint not in NO_COMPLAINTS:
            kind, detail = "complaint", feedback.complaint
        case "bounce" if feedback.type == HARD and feedback.subtype in HARD_SUBTYPES:
            kind = "hard"
        case "bounce" if (
            feedback.type == "Transient" and feedback.subtype in SOFT_SUBTYPES
        ):
            kind = "soft"
        case _:
            return
    for one in feedback.recipients:
        yield Fact(compared(one.address), kind, feedback.at, feedback.key, detail)


def after(known: Known, fact: Fact, *, soft_bounces: int) -> Known:
    """What is known with this fact; 0 `soft_bounces`: they never suppress."""
    past, entry = known.past, known.entry
    match fact.kind:
        case "hard":
            return known.suppressed(_entry(fact, "bounce", fact.detail))
        case "complaint":
            return known.suppressed(_entry(fact, "complaint", fact.detail))
        case "soft":
            if fact.at <= max(past.removed, past.delivered):
                return known
            if all(one.key != fact.key for one in past.soft):
                soft = sorted((*past.soft, Soft(fact.at, fact.key)))[-MOST_SOFT:]
                known = replace(known, past=replace(past, soft=tuple(soft)))
            if soft_bounces and len(known.past.soft) >= soft_bounces:
                last = replace(fact, at=known.past.soft[-1].at)
                return known.suppressed(_entry(last, "bounce", SOFT))
            return known
    delivered = max(past.delivered, fact.at)
    left = tuple(one for one in past.soft if one.at > fact.at)
    ended = len(left) < len(past.soft) or (entry is not None and entry.at <= delivered)
    # It rests on a number of bounces in a row, and they are none any more.
    if entry is not None and entry.detail == SOFT and ended:
        entry = None
    return Known(entry, replace(past, delivered=delivered, soft=left))


def _entry(fact: Fact, reason: Reason, detail: str) -> Suppressed:
    return Suppressed(fact.address, reason, fact.at, "event", detail)


class Hashes:
    """In memory: whom an entry is about, and of whom something else is remembered."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.past: set[int] = set()

    def take(self, address: str, known: Known) -> None:
        """Have it as it is known now."""
        number = digest(address)
        for numbers, there in (
            (self.gone, known.entry is not None),
            (self.past, known.past != NO_PAST),
        ):
            if there:
                numbers.add(number)
            else:
                numbers.discard(number)


class AtRcpt(Protocol):
    """Whom a session asks about a recipient, before there is a mail."""

    def is_known(self, address: str) -> bool:
        """Tell, at once, whether `refusal` may have anything to say."""

    async def refusal(self, address: str) -> Reply | None:
        """What the client hears; None: mail may come."""
