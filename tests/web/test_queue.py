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
        assert site.get("/api/v1/queue").json == {
            "mails": [],
            "next": None,
            "total": 0,
            "again": 1.0,
        }
        assert site.get("/api/v1/queue/causes").json["groups"] == []
        assert site.post("/api/v1/queue/drop", {"ids": ["x"]}).status == 409
        all_failed = {"what": "drop", "state": "failed"}
        assert site.post("/api/v1/queue/works", all_failed).status == 409
        assert site.get("/api/v1/queue/works/1").status == 409


def of(site: Site, work: dict[str, object]) -> dict[str, object]:
    """A work that was begun, when it has ended."""
    begun = site.post(f"/api/v1/queue/works/{work['id']}/begin", {}, ANN)
    assert begun.json["state"] == "running"

    def now() -> dict[str, object]:
        found: dict[str, object] = site.get(
            f"/api/v1/queue/works/{work['id']}", ANN
        ).json
        return found

    until(lambda: now()["state"] != "running")
    return now()


def test_what_waits_is_grouped_by_why_with_the_policy_that_cures_it(
    site: Site,
) -> None:
    found = site.get("/api/v1/queue/causes", ANN).json
    assert (found["waiting"], found["sending"], found["failed"]) == (3, 0, 0)
    (group,) = found["groups"]
    assert (group["mails"], group["cause"]) == (3, "access_denied")
    assert (group["title"], group["account"]) == ("Access denied", "default")
    assert group["said"] == "554 5.7.1 Access denied"
    assert sum(group["ages"]) == 3
    assert group["oldest"] < found["at"] < group["due"]
    assert '"ses:SendRawEmail"' in group["policy"]
    assert found["work"] is None


def test_all_of_a_cause_are_chosen_counted_and_then_retried(site: Site) -> None:
    asked = {"what": "retry", "state": "queued", "cause": "access_denied"}
    work = site.post("/api/v1/queue/works", asked, ANN).json
    assert (work["state"], work["mails"], work["sending"]) == ("chosen", 3, 0)
    assert len(waiting(site)) == 3  # nothing was done yet
    ids = [one["id"] for one in site.get("/api/v1/queue", ANN).json["mails"]]
    ended = of(site, work)
    assert (ended["state"], ended["done"], ended["left"]) == ("done", 3, [])
    until(lambda: not waiting(site))

    def found() -> list[str]:
        return [site.get(f"/api/v1/mails/{one}", ANN).json["state"] for one in ids]

    until(lambda: found() == ["sent"] * 3)
    (line,) = site.relay.events("queue changed", 1)
    assert (line["what"], line["done"]) == ("retry", 3)
    again = site.post(f"/api/v1/queue/works/{work['id']}/begin", {}, ANN)
    assert again.status == 409


def test_what_was_not_counted_is_not_dropped(site: Site) -> None:
    asked = {"what": "drop", "state": "queued", "q": "-to:two"}
    work = site.post("/api/v1/queue/works", asked, ANN).json
    assert work["mails"] == 2
    one = site.get("/api/v1/queue", ANN).json["mails"][0]["id"]
    site.post("/api/v1/queue/drop", {"ids": [one]}, ANN)
    ended = of(site, work)
    assert ended["done"] == 1
    assert ended["left"] == [{"obstacle": "has gone meanwhile", "mails": 1}]
    assert waiting(site) == ["two"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=to:one", ["one"]),
        ("q=-to:one", ["two", "three"]),
        ("q=from:app@+to:t", ["two", "three"]),
        ("q=since:1h", ["one", "two", "three"]),
        ("q=until:1h", []),
        ("q=account:default+priority:normal", ["one", "two", "three"]),
        ("cause=access_denied&account=default", ["one", "two", "three"]),
        ("cause=quota", []),
        ("account=shop", []),
    ],
)
def test_the_queue_is_searched(site: Site, query: str, found: list[str]) -> None:
    assert waiting(site, f"?{query}") == found
    assert site.get(f"/api/v1/queue?{query}", ANN).json["total"] == len(found)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("q=form:me", "form: is none of to:, from:, usage:, account:"),
        ("q=subject:x", "the queue knows no subjects"),
        ("q=state:lost", "one of queued, sending"),
        ("q=priority:urgent", "one of high, normal, low"),
        ("q=since:soon", "such as 10m"),
        ("cause=rain", "cause: one of later, new, expired"),
        ("state=lost", "state: one of open, queued"),
    ],
)
def test_a_search_that_means_nothing_says_so(site: Site, query: str, says: str) -> None:
    answer = site.get(f"/api/v1/queue?{query}", ANN)
    assert answer.status == 400
    assert says in answer.json["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"what": "drop"},
        {"what": "drop", "account": "default"},
        {"what": "burn", "state": "queued"},
        {"what": "drop", "state": "queued", "cuase": "quota"},
        {"what": "drop", "state": 7},
    ],
)
def test_a_slip_never_means_all_of_them(site: Site, body: dict[str, object]) -> None:
    assert site.post("/api/v1/queue/works", body, ANN).status == 400
    assert len(waiting(site)) == 3


def test_who_may_only_read_moves_nothing() -> None:
    with (
        fake_ses(error("AccessDeniedException", 403)) as ses,
        sending_site(through(ses, RELAY_QUEUE__ENGINE="sqlite")) as site,
    ):
        site.submit(mail())
        body = {"what": "drop", "state": "queued"}
        answer = site.post("/api/v1/queue/works", body)
        assert answer.status == 403
        assert "web.passwordHash" in answer.json["error"]
        assert site.get("/api/v1/queue/causes").json["waiting"] == 1
