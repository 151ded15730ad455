"""The page of a relay whose queue others share: its list, retry and drop of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from relay.password import hashed
from tests.fake_ses import error
from tests.fleet.emulators import Emulator
from tests.fleet.relays import sharing
from tests.server.relay_process import WAIT, until
from tests.web.browser import faultless
from tests.web.site import Site, fake_ses, mail, sending_site
from tests.web.test_safety import basic

ANN = basic("ann", "pass")
LATER = "[3600]"
NO_GROUPS = "Relays share this queue"


@pytest.fixture
def site(emulator: Emulator) -> Iterator[Site]:
    """A relay with three mails in the bucket, which SES refused for now."""
    trouble = error("InternalFailure", 500)
    with fake_ses(trouble, trouble, trouble) as ses:
        settings = sharing(
            ses,
            emulator.place(),
            RELAY_QUEUE__RETRY_DELAYS=LATER,
            RELAY_QUEUE__UNSEEN_DELAYS=LATER,
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


def test_its_list_goes_on_and_its_mails_are_retried_and_dropped(site: Site) -> None:
    first = site.get("/api/v1/queue?state=open&limit=2", ANN).json
    assert first["total"] is None
    assert waiting(site, f"?after={first['next']}") == ["three"]
    assert site.get("/api/v1/queue?after=0/0", ANN).status == 400
    one, two = (each["id"] for each in first["mails"])
    moved = {"done": 1, "obstacles": []}
    assert site.post("/api/v1/queue/retry", {"ids": [one]}, ANN).json == moved
    until(lambda: waiting(site) == ["two", "three"])
    assert site.post("/api/v1/queue/drop", {"ids": [two]}, ANN).json == moved
    assert waiting(site) == ["three"]
    for strange in ("../one", "\ud800", "\x00"):
        answer = site.post("/api/v1/queue/drop", {"ids": [strange]}, ANN)
        assert (answer.status, answer.json["done"]) == (200, 0)


def test_what_would_read_all_of_it_is_refused_with_its_reason(site: Site) -> None:
    group = {"what": "drop", "state": "queued"}
    for answer in (
        site.get("/api/v1/queue?cause=access_denied", ANN),
        site.get("/api/v1/queue?account=default", ANN),
        site.get("/api/v1/queue?account=", ANN),
        site.get("/api/v1/queue?q=to:one", ANN),
        site.get("/api/v1/queue/causes", ANN),
        site.post("/api/v1/queue/works", group, ANN),
        site.get("/api/v1/queue/works/1", ANN),
        site.post("/api/v1/queue/works/1/begin", {}, ANN),
    ):
        assert answer.status == 409
        assert answer.json["error"].startswith(NO_GROUPS)
    assert len(waiting(site)) == 3


def test_its_view_says_so_and_shows_the_list(site: Site, browser: Browser) -> None:
    context = browser.new_context(
        http_credentials={"username": "ann", "password": "pass"}
    )
    context.set_default_timeout(WAIT * 1000)
    page = context.new_page()
    # An old address asks for more than there is.
    page.goto(f"{site.url}/queue?cause=access_denied&q=to:one")
    expect(page.get_by_text(NO_GROUPS)).to_be_visible()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3, timeout=WAIT * 1000)
    expect(page.locator(".listed h2")).to_have_text("3 mails")
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.locator(".cause")).to_have_count(0)
    faultless(page)
    rows.first.get_by_role("button", name="Drop").click()
    page.get_by_role("button", name="Drop 1 mail").click()
    expect(rows).to_have_count(2, timeout=WAIT * 1000)
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_text("Nothing failed")).to_be_visible(timeout=WAIT * 1000)
    context.close()
