"""Without a queue: when an account's mail goes by its fallback, and who looks."""

from __future__ import annotations

from relay.delivery.detour import Detour
from relay.model.outcome import Accepted, Deferred, When
from relay.model.reply import Reply

CLOSED = Deferred(Reply(454, "3.2", "Sending paused"), When.SLOWLY, elsewhere=True)
DENIED = Deferred(Reply(554, "7.1", "Access denied"), When.SLOWLY)
LOST = Deferred(Reply(451, "4.2", "lost"), When.UNSEEN, maybe_sent=True, silent=True)


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_it_leads_away_until_it_is_time_that_one_mail_looks() -> None:
    clock = Clock()
    detour = Detour([30, 120], clock)
    assert not detour.leads_away()
    detour.heed(CLOSED)
    assert detour.why == CLOSED
    clock.at = 29.0
    assert detour.leads_away()
    clock.at = 30.0
    assert [detour.leads_away() for _ in range(3)] == [False, True, True]
    detour.heed(CLOSED)  # what the look came to
    clock.at = 149.0
    assert detour.leads_away()
    clock.at = 150.0
    assert not detour.leads_away()


def test_any_answer_ends_it_and_no_answer_does_not() -> None:
    detour = Detour([30], Clock())
    detour.heed(CLOSED)
    detour.heed(LOST)
    assert detour.leads_away()
    for answer in (Accepted("1"), DENIED):
        detour.heed(CLOSED)
        detour.heed(answer)
        assert not detour.leads_away()
