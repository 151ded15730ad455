"""How things stand, in sentences: each kind of trouble, its figures and its cure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relay.observe.ring import NONE, NOTHING, Point
from relay.observe.spread import BOUNDS, EMPTY, bucket, packed
from relay.observe.stats import GROUPS, AccountNow, Now
from relay.web.verdict import CURES, verdict

MINUTE = Point(60.0, {"accepted": 31}, {"accepted": 31}, EMPTY, seconds=60.0)


def said(
    now: Now, recent: Point = MINUTE, *, captures: bool = False
) -> list[tuple[str, str]]:
    found = verdict(now, recent, captures=captures)
    assert all(one.cure for one in found if one.level != "good")
    return [(one.level, one.text) for one in found]


@pytest.mark.parametrize(
    ("recent", "captures", "text"),
    [
        (NOTHING, False, "The first figures come within five seconds."),
        (
            replace(MINUTE, counts=NONE, answers=NONE),
            False,
            "All is well. No mail comes at the moment.",
        ),
        (
            MINUTE,
            False,
            ("All is well. 31 mails in the last minute; SES took all calls."),
        ),
        (
            replace(MINUTE, counts={"accepted": 1}, seconds=300.0),
            True,
            "All is well. 1 mail in the last 5 minutes, kept here and sent nowhere.",
        ),
    ],
)
def test_a_calm_relay_says_how_much_it_did(
    recent: Point, captures: bool, text: str
) -> None:
    assert said(Now(), recent, captures=captures) == [("good", text)]


@pytest.mark.parametrize(
    ("answers", "level", "text"),
    [
        (
            {"access_denied": 29, "unknown": 2},
            "bad",
            (
                "SES refused all 31 calls of the last minute for the account or its "
                "sender (access denied, unknown)."
            ),
        ),
        (
            {"not_verified": 1, "accepted": 30},
            "wait",
            (
                "SES refused 1 of 31 calls of the last minute for the account or its "
                "sender (not verified)."
            ),
        ),
        (
            {"unreachable": 1},
            "bad",
            (
                "SES could not be reached, or failed, for the one call of the "
                "last minute (unreachable)."
            ),
        ),
        (
            {"throttled": 10, "accepted": 21},
            "wait",
            "SES throttled 10 of 31 calls of the last minute.",
        ),
        (
            {"content": 2, "address": 1, "accepted": 28},
            "wait",
            "SES refused 3 of 31 calls of the last minute for what is in the mail.",
        ),
    ],
)
def test_what_ses_did_not_take_is_said_with_its_part_of_all(
    answers: dict[str, int], level: str, text: str
) -> None:
    assert said(Now(), replace(MINUTE, answers=answers)) == [(level, text)]


def test_every_class_but_those_about_one_mail_has_a_cure() -> None:
    words = {word for group in GROUPS.values() for word in group}
    assert set(CURES) == words - {"accepted", *GROUPS["mail"]}


def test_the_worst_comes_first() -> None:
    recent = replace(
        MINUTE,
        counts={"accepted": 20, "refused": 11},
        answers={"throttled": 4, "tls": 9},
    )
    assert said(Now(), recent) == [
        (
            "bad",
            (
                "SES could not be reached, or failed, for 9 of 13 calls of the last "
                "minute (tls)."
            ),
        ),
        ("wait", "SES throttled 4 of 13 calls of the last minute."),
        ("wait", "The relay itself refused 11 of 31 mails of the last minute."),
    ]


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        ("Throttling failure: Daily message quota exceeded", "quota"),
        ("Sending paused", "paused"),
        ("Message rejected: sending suspended", "suspended"),
        ("SES cannot be reached", "unreachable"),
        ("TLS with SES failed", "tls"),
    ],
)
def test_a_pause_says_why_what_waits_and_what_to_do(reason: str, cure: str) -> None:
    now = Now(waiting=1, oldest=754.0, paused=reason)
    [found] = verdict(now, replace(MINUTE, answers=NONE), captures=False)
    assert found == (
        "bad",
        f"Sending is paused: {reason}; 1 mail waits, the oldest for 13 min.",
        CURES[cure],
        "/queue",
    )


def test_each_account_is_judged_by_itself() -> None:
    accounts = (
        AccountNow("default", quota=50_000.0, quota_used=43_900.0),
        AccountNow("brand", fallback="default", paused="Sending paused"),
    )
    assert said(Now(waiting=0, accounts=accounts)) == [
        (
            "bad",
            (
                "Sending by account brand is paused: Sending paused; "
                "its mail goes by default."
            ),
        ),
        (
            "wait",
            (
                "88% of SES' daily quota by account default is used: "
                "43900 of 50000 recipients in 24 hours."
            ),
        ),
    ]


def test_mail_that_waits_for_long_is_named_where_nothing_else_explains_it() -> None:
    now = Now(waiting=31, oldest=7300.0)
    assert said(now) == [("wait", "31 mails wait, the oldest for 2 h.")]
    assert said(replace(now, oldest=59.0))[0][0] == "good"
    throttled = replace(MINUTE, answers={"throttled": 31})
    assert [level for level, _ in said(now, throttled)] == ["wait"]


def test_clients_that_wait_for_long_are_named() -> None:
    counts = [0] * (len(BOUNDS) + 1)
    counts[bucket(8.0)] = 31
    slow = replace(MINUTE, times=packed(counts))
    assert said(Now(), slow) == [
        ("wait", "One client of 20 waits 8 s or longer for its answer.")
    ]
