"""The list of mails, whatever the order of events, answers and breaks."""

from __future__ import annotations

import smtplib
import time
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server.relay_process import WAIT
from tests.web.rough_line import rough_line
from tests.web.site import Site, running_site

expect.set_options(timeout=WAIT * 1000)
HERE = Path(__file__).parent
MODULE = HERE.parents[1] / "relay" / "web" / "static" / "list.js"


@pytest.fixture(scope="module")
def empty(browser: Browser) -> Page:
    """A page with the list's own module, and what plays with it."""
    page = browser.new_page()
    page.add_script_tag(
        content=f"{MODULE.read_text('utf-8')}\nwindow.List = List;", type="module"
    )
    page.wait_for_function("() => window.List")
    page.add_script_tag(path=HERE / "list_in_any_order.js")
    return page


@pytest.mark.parametrize("seed", range(5))
def test_a_list_has_every_row_in_any_order_of_events_answers_and_breaks(
    empty: Page, seed: int
) -> None:
    assert empty.evaluate("seed => playMany(seed, 10_000)", seed) == ""


def send(client: smtplib.SMTP, name: str) -> None:
    client.sendmail("a@b.example", f"{name}@example.com", "Subject: Hi\r\n\r\nx\r\n")


# Where the row is that one reads: its least and its greatest distance to the top.
WATCH = """text => {
  const row = [...document.querySelectorAll('.list li')]
    .find((one) => one.textContent.includes(text));
  window.tops = [Infinity, -Infinity, 0];
  const look = () => {
    const top = Math.round(row.getBoundingClientRect().top);
    tops = [Math.min(tops[0], top), Math.max(tops[1], top), tops[2] + 1];
    if (!row.isConnected) tops = [0, 1, -Infinity];
    // Once a frame is painted: what is put right before that is never seen.
    requestAnimationFrame(() => setTimeout(look));
  };
  look();
}"""


def read(page: Page, url: str, name: str) -> int:
    """Scroll until this mail is the first in sight; where it is from here on."""
    page.goto(url)
    row = page.locator(".list li", has_text=f"{name}@")
    listed = page.locator(".list")
    end = time.monotonic() + WAIT
    while not row.count() and time.monotonic() < end:
        listed.evaluate("one => { one.scrollTop += 300; }")
        page.wait_for_timeout(50)
    listed.evaluate(
        "(one, row) => { one.scrollTop += row.getBoundingClientRect().top"
        " - one.getBoundingClientRect().top + 5; }",
        row.element_handle(),
    )
    page.wait_for_timeout(100)
    page.evaluate(WATCH, f"{name}@")
    box = row.bounding_box()
    assert box is not None
    return round(box["y"])


def has_not_moved(page: Page, top: int) -> None:
    least, greatest, looks = page.evaluate("() => tops")
    assert looks > 10
    assert (least, greatest) == (top, top)


def listed_from_top_to_end(page: Page) -> list[str]:
    """All that the list shows, read as a person does: by scrolling."""
    found: dict[int, str] = {}
    listed = page.locator(".list")
    listed.evaluate("one => { one.scrollTop = 0; }")
    while True:
        page.wait_for_timeout(60)
        rows = page.evaluate(
            "() => [...document.querySelectorAll('.list li')].map(one =>"
            " [Number(one.ariaPosInSet), one.querySelector('a').dataset.id])"
        )
        found.update({int(place): name for place, name in rows})
        size = int(page.locator(".list li").first.get_attribute("aria-setsize") or 0)
        if len(found) >= size:
            return [found[place] for place in sorted(found)]
        listed.evaluate("one => { one.scrollTop += one.clientHeight - 60; }")


def all_of(site: Site, query: str = "") -> list[str]:
    found: list[str] = []
    before = ""
    while True:
        answer = site.get(f"/api/v1/mails?limit=500{query}{before}").json
        found += [one["id"] for one in answer["mails"]]
        if answer["next"] is None:
            return found
        before = f"&before={answer['next']}"


@pytest.mark.parametrize(
    ("seed", "search"), [(1, ""), (2, ""), (3, "to:even"), (4, "to:even")]
)
def test_on_a_rough_line_the_place_is_kept_and_no_row_is_lost(
    page: Page, site: Site, seed: int, search: str
) -> None:
    random = Random(seed)
    query = f"&{search.replace(':', '=')}" if search else ""
    with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
        for number in range(120):
            send(client, f"old-{'even' if number % 2 == 0 else 'odd'}-{number}")
        with rough_line(site.port, random) as line:
            line.rough = False  # until there is something to read
            url = f"{line.url}/mails?q={search}" if search else line.url
            top = read(page, url, "old-even-60")
            line.rough = True
            come = 0
            for _ in range(20):
                what = random.choice(("one", "few", "burst", "cut", "wait"))
                many = {"one": 1, "few": 7, "burst": 130}.get(what, 0)
                for number in range(many):
                    send(client, f"new-{'even' if number % 2 == 0 else 'odd'}-{number}")
                    come += not search or number % 2 == 0
                if what == "cut":
                    line.cut()
                page.wait_for_timeout(random.choice((0, 50, 300)))
            assert line.breaks
            line.rough = False
            expect(page.locator(".fresh-button")).to_have_text(f"{come} new")
            has_not_moved(page, top)
            page.locator(".fresh-button").click()
            assert listed_from_top_to_end(page) == all_of(site, query)
            expect(page.locator(".fresh-button")).to_be_hidden()


def test_ten_thousand_mails_come_while_one_reads(page: Page) -> None:
    with running_site() as site, smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
        for number in range(300):
            send(client, f"old-{number}")
        top = read(page, site.url, "old-150")
        began = time.monotonic()
        for number in range(9_700):
            early = began + number / 500 - time.monotonic()
            if early > 0.05:
                time.sleep(early)
            send(client, f"new-{number}")
        expect(page.locator(".fresh-button")).to_have_text("9700 new")
        has_not_moved(page, top)
        page.locator(".fresh-button").click()
        expect(page.locator(".list li").first).to_contain_text("new-9699@")
        first = page.locator(".list li").first
        expect(first).to_have_attribute("aria-setsize", "10000")
        assert page.locator(".list li").count() < 100
