"""How too few connections are shared out."""

from __future__ import annotations

import pytest

from relay.app.places import Places, shared

WANTED = Places(1000, 500, 100)


@pytest.mark.parametrize("room", [0, 1, 9, 10, 100, 555, 1000, 1599])
def test_no_more_is_given_than_there_is_and_mail_gets_the_most(room: int) -> None:
    found = shared(WANTED, room)
    assert found.clients >= 1
    assert found.clients + found.page + found.probes <= max(room, 1)
    assert found.clients >= 2 * found.page
    assert found.page <= WANTED.page
    assert found.probes <= WANTED.probes


def test_who_is_not_there_gets_nothing() -> None:
    assert shared(Places(1000, 0, 0), 700) == Places(700, 0, 0)
    assert shared(Places(10, 500, 100), 700) == Places(10, 140, 70)
