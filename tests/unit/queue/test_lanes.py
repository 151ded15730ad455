"""The lanes of accounts, when the settings name others."""

from __future__ import annotations

from relay.queue.lanes import Lanes
from relay.queue.moves import First


def test_accounts_that_stay_keep_their_lane_and_new_ones_get_their_own() -> None:
    lanes = Lanes(["", "a", "b"])
    before = {name: lanes.of(name) for name in ("", "a", "b", "gone")}
    assert before == {"": 0, "a": 1, "b": 2, "gone": 3}
    assert lanes.know(["", "b", "c"])
    assert {name: lanes.of(name) for name in ("", "a", "b", "c")} == {
        "": 0,
        "a": lanes.gone,
        "b": 2,
        "c": 4,
    }
    assert list(lanes.all) == [0, 1, 2, 3, 4]


def test_an_account_that_comes_back_finds_its_lane() -> None:
    lanes = Lanes(["", "a"])
    lane = lanes.of("a")
    assert lanes.know([""])
    assert lanes.know(["", "a"])
    assert lanes.of("a") == lane
    assert not lanes.know(["", "a"])
    assert len(lanes) == 3


def test_what_the_file_said_before_the_latest_lanes_is_no_mail_in_these() -> None:
    lanes = Lanes([""])
    early = First([[None, 5.0, None], ()], None)
    lanes.know(["", "a"])
    lanes.heed(early)
    assert lanes.next(None) == 5.0
    assert lanes.next([lanes.of("a")]) is None
