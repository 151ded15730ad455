"""The queue on the page: what waits and why, retry and drop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from relay.password import hashed
from tests.fake_ses import error
from tests.server.relay_process import until
from tests.server.test_life import through
from tests.web.site import Site, fake_ses, mail, running_site, sending_site
from tests.web.test_safety import basic

ANN = basic("ann", "pass")


@pytest.fixture
def site() -> Iterator[Site]:
    """A relay with three mails in its queue, which SES refused for now."""
    denied = error("AccessDeniedException", 403)
    with fake_ses(denied, denied, denied) as ses:
        settings = through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_WEB__USER="ann",
            RELAY_WEB__PASSWORD_HASH=hashed("pass"),
        )
        with sending_site(settings) as site:
            for name in ("one", "two", "three"):
                assert "queued as" in site.submit(mail(f"{name}@example.com"))
            yield site


def waiting(site: Site, query: str = "") -> list[str]:
    found = site.get(f"/api/v1/queue{query}", ANN).json["mails"]
    return [one["recipients"][0].partition("@")[0] for one in found]


def test_the_oldest_stands_first_with_its_reason(site: Site) -> None:
    assert waiting(site) == ["one", "two", "three"]
    first = site.get("/api/v1/queue?limit=2", ANN).json
    assert len(first["mails"]) == 2
    rest = site.get(f"/api/v1/queue?after={first['next']}", ANN).json
    assert [one["recipients"] for one in rest["mails"]] == [["three@example.com"]]
    assert rest["next"] is None
    one = first["mails"][0]
    assert one["lastReply"] == "554 5.7.1 Access denied"
    assert one["state"] == "queued"
    assert one["due"] > one["acceptedAt"]
    assert waiting(site, "?state=failed") == []


def test_retry_sends_and_drop_forgets(site: Site) -> None:
    one, two, _ = [each["id"] for each in site.get("/api/v1/queue", ANN).json["mails"]]
    answer = site.post("/api/v1/queue/retry", {"ids": [one]}, ANN)
    assert answer.json == {"done": 1, "obstacles": []}
    until(lambda: "one" not in waiting(site))
    story = site.get(f"/api/v1/mails/{one}", ANN).json
    assert story["state"] == "sent"
    assert [each["answer"] for each in story["attempts"]] == [
        "access_denied",
        "accepted",
    ]
    dropped = site.post("/api/v1/queue/drop", {"ids": [two]}, ANN)
    assert dropped.json == {"done": 1, "obstacles": []}
    assert "two" not in waiting(site)
    assert site.get(f"/api/v1/mails/{two}", ANN).json["state"] == "dropped"
    again = site.post("/api/v1/queue/drop", {"ids": [one]}, ANN).json
    assert again == {"done": 0, "obstacles": [{"id": one, "obstacle": "was sent"}]}


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": "all"}, {"ids": [1]}, {"ids": ["x"] * 501}]
)
def test_nothing_is_dropped_by_leaving_something_out(
    site: Site, body: dict[str, object]
) -> None:
    assert site.post("/api/v1/queue/drop", body, ANN).status == 400
    assert len(waiting(site)) == 3


def test_without_a_queue_there_is_nothing_to_move() -> None:
    with running_site() as site:
        assert site.get("/api/v1/queue").json == {"mails": [], "next": None}
        assert site.post("/api/v1/queue/drop", {"ids": ["x"]}).status == 409
