"""What SES told of one mail: copies and disorder change nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.feedback import WORDS, Feedback, Kind, Recipient
from relay.observe import facts
from relay.observe.facts import FATES, Fact, fate_of, merged, site_of

ANN, BOB = Recipient("ann@example.com"), Recipient("bob@example.com")


def told(
    kind: Kind,
    at: float = 1.0,
    *who: Recipient,
    what: str = "",
    link: str = "",
) -> Feedback:
    return Feedback(kind, "0102", at, recipients=who or (ANN,), type=what, link=link)


def after(*some: Feedback) -> tuple[Fact, ...]:
    known: tuple[Fact, ...] = ()
    for one in some:
        known = merged(known, one)
    return known


ANY = st.builds(
    Feedback,
    st.sampled_from(list(WORDS)),
    st.sampled_from(["0102", "0103"]),
    st.sampled_from([1.0, 2.0, 3.0]),
    recipients=st.lists(
        st.sampled_from([ANN, BOB, ANN._replace(status="5.1.1"), Recipient("")]),
        max_size=2,
        unique=True,
    ).map(tuple),
    type=st.sampled_from(["", "Permanent", "Transient"]),
)


@given(st.lists(ANY, max_size=6), st.data())
def test_copies_and_any_order_end_the_same(
    some: list[Feedback], data: st.DataObject
) -> None:
    copies = data.draw(st.lists(st.sampled_from(some), max_size=4)) if some else []
    shuffled = data.draw(st.permutations([*some, *copies]))
    assert after(*shuffled) == after(*some)


def test_the_latest_of_a_kind_is_kept_for_each_recipient() -> None:
    upper = Recipient("ANN@example.com", "4.4.7")
    known = after(
        told("delay", 3.0, upper), told("delay", 2.0), told("delay", 2.5, BOB)
    )
    assert [(one.at, one.address) for one in known] == [
        (2.5, "bob@example.com"),
        (3.0, "ANN@example.com"),
    ]


def test_what_was_known_is_the_same() -> None:
    known = after(told("open", 5.0))
    assert merged(known, told("open", 5.0)) is known
    assert merged(known, told("open", 4.0)) is known


def test_beyond_the_limit_only_what_went_wrong_is_added() -> None:
    many = tuple(Recipient(f"{number}@example.com") for number in range(2500))
    good = after(told("delivery", 1.0, *many))
    assert len(good) == facts.MAX_FACTS
    wrong = merged(good, told("bounce", 1.0, *many))
    assert len(wrong) == 2 * facts.MAX_FACTS
    assert merged(wrong, told("bounce", 9.0, many[0]))[-1].at == 9.0


HARD = told("bounce", 1.0, what="Permanent")
SOFT = told("bounce", 1.0, what="Transient")


@pytest.mark.parametrize(
    ("some", "fate"),
    [
        ([], ""),
        ([told("send"), told("open"), told("delay")], ""),
        ([told("delivery")], "delivered"),
        ([SOFT], "bounced"),
        ([SOFT, told("delivery")], "delivered"),
        ([HARD, told("delivery")], "bounced"),
        ([told("delivery"), told("complaint")], "complained"),
        ([told("reject")], "rejected"),
        ([told("rendering_failure")], "rejected"),
        ([told("delivery"), replace(SOFT, recipients=(BOB,))], "bounced"),
        ([told("delivery"), told("delivery", 1.0, BOB)], "delivered"),
    ],
)
def test_a_mail_is_where_its_worst_recipient_is(
    some: list[Feedback], fate: str
) -> None:
    assert fate_of(after(*some)) == fate
    assert fate in ("", *FATES)


@pytest.mark.parametrize(
    ("link", "site"),
    [
        ("", ""),
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example/reset/123456", "https://shop.example/…"),
        ("https://shop.example?code=123456", "https://shop.example/…"),
        ("https://user:123456@shop.example:8443/#x", "https://shop.example"),
        ("mailto:123456@shop.example", "mailto:///…"),
        ("https://[123456", "…"),
    ],
)
def test_a_link_is_shown_without_what_may_be_a_key(link: str, site: str) -> None:
    assert site_of(link) == site
    assert "123456" not in site_of(link)
