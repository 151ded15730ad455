"""Who gets no mail after which facts, in any order."""

from __future__ import annotations

import random
import sys
from itertools import permutations
from typing import Literal

import pytest

from relay.model.feedback import Feedback, Recipient
from relay.model.suppression import (
    SOFT,
    Fact,
    Hashes,
    Known,
    Past,
    Suppressed,
    after,
    compared,
    digest,
    facts,
)

ANN = "ann@acme.example"
DAY = 86_400.0


def bounce(type_: str, subtype: str, at: float = 100.0) -> Feedback:
    to = (Recipient("Ann@Acme.example", "5.1.1", "550 nobody here"),)
    return Feedback("bounce", "0100", at, recipients=to, type=type_, subtype=subtype)


def heard(*feedback: Feedback, soft_bounces: int = 5, known: Known = Known()) -> Known:  # noqa: B008 - frozen
    for one in feedback:
        for fact in facts(one):
            known = after(known, fact, soft_bounces=soft_bounces)
    return known


def soft(at: float) -> Feedback:
    return bounce("Transient", "MailboxFull", at)


def delivery(at: float) -> Feedback:
    return Feedback("delivery", "0100", at, recipients=(Recipient(ANN),))


@pytest.mark.parametrize(
    ("type_", "subtype"),
    [
        ("Permanent", "General"),
        ("Permanent", "NoEmail"),
        ("Permanent", "Suppressed"),
        ("Permanent", "OnAccountSuppressionList"),
    ],
)
def test_a_hard_bounce_suppresses(type_: str, subtype: str) -> None:
    entry = heard(bounce(type_, subtype)).entry
    assert entry == Suppressed(ANN, "bounce", 100.0, "event", f"{type_}/{subtype}")


@pytest.mark.parametrize(
    ("type_", "subtype"),
    [
        ("Undetermined", "Undetermined"),
        ("Permanent", "OnTenantSuppressionList"),
        ("Permanent", "UnsubscribedRecipient"),
        ("Permanent", "SomethingNew"),
        ("Permanent", ""),
        ("Transient", "MailboxFull"),
        ("Transient", "AttachmentRejected"),
        ("Transient", "ContentRejected"),
        ("Transient", "MessageTooLarge"),
        ("Transient", "CustomTimeoutExceeded"),
    ],
)
def test_other_bounces_suppress_nobody_at_once(type_: str, subtype: str) -> None:
    assert heard(bounce(type_, subtype)).entry is None


@pytest.mark.parametrize(
    ("complaint", "counts"),
    [("abuse", True), ("", True), ("not-spam", False), ("auth-failure", False)],
)
def test_a_complaint_suppresses_unless_it_says_the_opposite(
    complaint: str, counts: bool
) -> None:
    said = Feedback(
        "complaint", "0100", 7.0, recipients=(Recipient(ANN),), complaint=complaint
    )
    expected = Suppressed(ANN, "complaint", 7.0, "event", complaint)
    assert heard(said).entry == (expected if counts else None)


def test_soft_bounces_suppress_after_five_in_a_row_and_a_delivery_begins_anew() -> None:
    four = heard(*map(soft, (1.0, 2.0, 3.0, 4.0)))
    assert four.entry is None
    assert heard(soft(5.0), known=four).entry == Suppressed(
        ANN, "bounce", 5.0, "event", SOFT
    )
    begun_anew = heard(delivery(4.5), known=four)
    assert begun_anew == Known(None, Past(delivered=4.5))
    assert heard(*map(soft, (5.0, 6.0, 7.0, 8.0)), known=begun_anew).entry is None


def test_a_mails_own_fault_is_no_soft_bounce() -> None:
    mails = [bounce("Transient", "AttachmentRejected", at) for at in range(1, 9)]
    assert heard(*mails) == Known()


def test_soft_bounces_never_suppress_with_0() -> None:
    assert heard(*map(soft, range(1, 50)), soft_bounces=0).entry is None


def test_five_soft_bounces_and_a_delivery_come_to_the_same_in_any_order() -> None:
    said = [soft(1.0), soft(2.0), soft(3.0), delivery(2.5), soft(4.0)]
    ends = {
        heard(*some, soft_bounces=3).entry for some in permutations([*said, said[1]])
    }
    assert ends == {None}


def test_copies_and_disorder_change_nothing() -> None:
    said = [
        bounce("Permanent", "General", 3.0),
        bounce("Permanent", "NoEmail", 9.0),
        Feedback("complaint", "0100", 5.0, recipients=(Recipient(ANN),)),
        delivery(7.0),
        bounce("Permanent", "General", 3.0),
    ]
    ends = {heard(*some).entry for some in permutations(said)}
    assert ends == {Suppressed(ANN, "complaint", 5.0, "event", "")}


def test_who_was_removed_by_hand_comes_back_by_later_facts_alone() -> None:
    known = heard(bounce("Permanent", "General", 10.0), *map(soft, (1.0, 2.0, 3.0)))
    known = known.removed(20.0)
    assert known == Known(None, Past(removed=20.0))
    late = [bounce("Permanent", "General", 20.0), *map(soft, (15.0, 16.0, 17.0))]
    assert heard(*late, soft_bounces=3, known=known).entry is None
    assert heard(bounce("Permanent", "General", 21.0), known=known).entry is not None


def test_what_came_after_a_removal_stays_when_the_removal_is_heard_of_late() -> None:
    known = heard(bounce("Permanent", "General", 21.0)).removed(20.0)
    assert known.entry == Suppressed(ANN, "bounce", 21.0, "event", "Permanent/General")


def test_bounces_lapse_and_nothing_else_does() -> None:
    entries = [Suppressed(ANN, one, 0.0) for one in ("bounce", "complaint", "manual")]
    assert [one.is_over(90 * DAY, 90 * DAY) for one in entries] == [True, False, False]
    assert [one.is_over(89 * DAY, 90 * DAY) for one in entries] == [False] * 3
    assert not entries[0].is_over(1e12, 0)
    assert not Suppressed(ANN, "bounce", 0.0, "ses").is_over(1e12, 90 * DAY)


@pytest.mark.parametrize(
    ("entry", "reply"),
    [
        (Suppressed(ANN, "bounce", 0.0, "event", "Permanent/General"), "hard bounce"),
        (Suppressed(ANN, "bounce", 0.0, "event", SOFT), "soft bounces"),
        (Suppressed(ANN, "complaint", 0.0, "ses"), "complaint"),
        (Suppressed(ANN, "manual", 0.0, "hand", "asked by phone"), "by the operator"),
    ],
)
def test_the_reply_has_day_and_reason_and_nothing_else(
    entry: Suppressed, reply: str
) -> None:
    expected = f"550 5.1.1 Recipient suppressed since 1970-01-01: {reply}"
    assert str(entry.reply) == expected


def test_addresses_are_compared_in_lower_case_with_their_tags() -> None:
    assert compared("Ann+Shop@Acme.EXAMPLE") == "ann+shop@acme.example"


def test_a_hundred_thousand_addresses_take_less_than_12_megabytes() -> None:
    hashes = Hashes()
    entry = Suppressed(ANN, "bounce", 0.0)
    for number in range(100_000):
        hashes.take(f"{number}@acme.example", Known(entry))
    size = sys.getsizeof(hashes.gone) + sum(map(sys.getsizeof, hashes.gone))
    assert len(hashes.gone) == 100_000
    assert size < 12_000_000
    assert digest("77@acme.example") in hashes.gone
    hashes.take("77@acme.example", Known())
    assert digest("77@acme.example") not in hashes.gone


def test_any_order_of_many_facts_comes_to_one_end() -> None:
    chance = random.Random(7)
    kinds: list[Literal["hard", "complaint"]] = ["hard", "complaint"]
    for _ in range(200):
        hard = [Fact(ANN, chance.choice(kinds), float(n), f"k{n}") for n in range(1, 9)]
        ends = set()
        for _ in range(10):
            chance.shuffle(hard)
            known = Known()
            for fact in hard:
                known = after(known, fact, soft_bounces=5)
            ends.add(known.entry)
        assert len(ends) == 1
