"""Hints at hand: whose turn it is."""

from __future__ import annotations

from relay.fleet.claims import Looked
from relay.fleet.here import Here
from relay.fleet.hint import Hint
from relay.model.mail import Priority


def here(*hints: Hint, at: float = 0.0) -> Here:
    found = Here({"": 0, "brand": 1}.__getitem__)
    for number, hint in enumerate(hints):
        found.add(Looked(hint, f"{hint.name} {number}"), at)
    return found


def taken(found: Here, limit: int = 9, size: int = 1000, **more: object) -> list[str]:
    lanes, unmarked = more.get("lanes"), more.get("unmarked", ())
    assert lanes is None or isinstance(lanes, tuple)
    assert isinstance(unmarked, tuple)
    some = found.take(limit, size=size, lanes=lanes, unmarked=unmarked)
    return [looked.hint.name for looked in some]


def test_by_priority_then_by_age() -> None:
    found = here(
        Hint("b.0", 1, 0.0),
        Hint("a.0", 1, 0.0),
        Hint("c.0", 1, 0.0, priority=Priority.HIGH),
        Hint("0.0", 1, 0.0, priority=Priority.LOW),
    )
    assert found.has(Priority.HIGH, None)
    assert taken(found) == ["c.0", "a.0", "b.0", "0.0"]
    assert len(found) == 0


def test_no_priority_waits_for_ever_behind_a_higher_one() -> None:
    found = here(
        *[
            Hint(f"{priority.name}{number:03}.0", 1, 0.0, priority=priority)
            for priority in Priority
            for number in range(300)
        ]
    )
    turns = [name[:3] for _ in range(20) for name in taken(found, 10)]
    assert [turns.count(name) for name in ("HIG", "NOR", "LOW")] == [180, 18, 2]


def test_no_more_than_fits_but_the_first_always() -> None:
    found = here(Hint("a.0", 90, 0.0), Hint("b.0", 90, 0.0), Hint("c.0", 5, 0.0))
    assert taken(found, size=10) == ["a.0"]
    assert taken(found, limit=1) == ["b.0"]


def test_of_some_lanes_and_without_marked_mail_of_others() -> None:
    found = here(
        Hint("a.0", 1, 0.0, account="brand", maybe=True),
        Hint("b.0", 1, 0.0, account="brand"),
        Hint("c.0", 1, 0.0),
    )
    assert taken(found, lanes=(1,), unmarked=(1,)) == ["b.0"]
    assert not found.has(Priority.HIGH, (0,))
    assert found.has(Priority.LOW, (0,))
    assert taken(found) == ["a.0", "c.0"]


def test_what_waits_too_long_is_given_to_others() -> None:
    found = here(Hint("a.0", 1, 0.0), at=5.0)
    assert found.older(5.0) == []
    assert [looked.hint.name for looked in found.older(5.1)] == ["a.0"]
    assert len(found) == 0
