"""What is shown of what SES told of one mail: the latest of each kind, by recipient.

Whatever comes twice, or in another order, ends the same.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from relay.model.feedback import HARD, Feedback, Kind, Recipient
from relay.observe import kept

MAX_FACTS = 1000  # of one mail; as many again of what went wrong
FACT_BYTES = 200

# What has become of a mail, the worst first.
FATES = ("complained", "bounced", "rejected", "delivered")
_WRONG: tuple[Kind, ...] = ("bounce", "complaint", "reject", "rendering_failure")
_NOBODY = (Recipient(""),)


class Fact(NamedTuple):
    """One of them; `address` is empty where SES does not say who.

    `what` is a bounce's type or a delay's, `reason` why of a complaint or rejection.
    """

    at: float
    kind: Kind
    address: str
    status: str
    diagnostic: str
    what: str
    reason: str
    link: str  # no more of it than names the site
    message_id: str


def facts_of(told: Feedback) -> list[Fact]:
    """A fact for each recipient."""
    return [
        Fact(
            told.at,
            told.kind,
            one.address,
            one.status,
            one.diagnostic,
            told.what,
            told.complaint or told.reason,
            site_of(told.link),
            told.message_id,
        )
        for one in told.recipients or _NOBODY
    ]


def site_of(link: str) -> str:
    """A link without its path and parameters, which may be a key to an account."""
    if not link:
        return ""
    try:
        parts = urlsplit(link)
        site = f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return "…"
    return site if parts.path in ("", "/") and not parts.query else f"{site}/…"


def merged(known: tuple[Fact, ...], told: Feedback) -> tuple[Fact, ...]:
    """The facts with one more, in the order of their times; the same if it was known.

    Beyond the limit it is left out.
    """
    found = {_key(one): one for one in known}
    most = 2 * MAX_FACTS if told.kind in _WRONG else MAX_FACTS
    changed = False
    for fact in facts_of(told):
        key = _key(fact)
        before = found.get(key)
        if before is None:
            if len(found) >= most:
                continue
        elif before >= fact:
            continue
        found[key] = fact
        changed = True
    return tuple(sorted(found.values())) if changed else known


def _key(fact: Fact) -> tuple[str, Kind, str]:
    return fact.message_id, fact.kind, fact.address.lower()


def fate_of(facts: tuple[Fact, ...]) -> str:
    """What has become of the mail, the worst of its recipients'; "": nobody knows."""
    by_recipient: dict[str, int] = {}
    for fact in facts:
        rank = _rank(fact)
        address = fact.address.lower()
        if rank is not None:
            by_recipient[address] = min(by_recipient.get(address, rank), rank)
    found = {_MEANS[rank] for rank in by_recipient.values()}
    return next((one for one in FATES if one in found), "")


# What is told of one recipient, the strongest first: after a delivery an automatic
# answer comes as a soft bounce.
_MEANS = ("complained", "bounced", "rejected", "delivered", "bounced")


def _rank(fact: Fact) -> int | None:
    match fact.kind:
        case "complaint":
            return 0
        case "bounce":
            return 1 if fact.what.partition("/")[0] == HARD else 4
        case "reject" | "rendering_failure":
            return 2
        case "delivery":
            return 3
    return None


def bytes_of(facts: tuple[Fact, ...]) -> int:
    """How much memory they take, rather too much."""
    return sum(
        FACT_BYTES + kept.texts(one.address, one.diagnostic, one.reason, one.link)
        for one in facts
    )
