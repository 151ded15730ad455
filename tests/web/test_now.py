"""Now in a real Chromium: ranges, zoom, one cursor, the reader's locale, trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from relay.observe.ring import NONE, Point, joined
from relay.observe.spread import BOUNDS, EMPTY, bucket, packed
from relay.web.figures import BUCKETS, point_of
from tests.fake_ses import Answer, error
from tests.server.relay_process import WAIT, until
from tests.server.test_life import through
from tests.web.browser import faultless
from tests.web.site import Site, fake_ses, mail, running_site, sending_site

expect.set_options(timeout=WAIT * 1000)
FROM, UNTIL = 1_764_410_400, 1_764_417_600  # 2025-11-29, 10:00 to 12:00 in UTC


def points(site: Site, least: int) -> list[dict[str, Any]]:
    """The last hour once it has so many points."""
    until(lambda: len(site.get("/api/v1/figures").json["points"]) >= least)
    found: list[dict[str, Any]] = site.get("/api/v1/figures").json["points"]
    return found


@pytest.fixture
def now(page: Page, site: Site) -> Iterator[Page]:
    """The view with a mail and some points."""
    site.submit(mail())
    points(site, 3)
    page.goto(f"{site.url}/now?range=5m")
    expect(page.locator("canvas")).to_have_count(2)
    yield page
    faultless(page)


def zoom(page: Page) -> tuple[int, int] | None:
    """What part of time the address says."""
    asked = parse_qs(urlsplit(page.url).query)
    return (int(asked["from"][0]), int(asked["until"][0])) if "from" in asked else None


def drag(page: Page, start: float, end: float) -> None:
    """Drag over a plot, from one part of its width to another."""
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    page.mouse.up()


def test_plots_are_loaded_with_now_and_draw_what_came(page: Page, site: Site) -> None:
    site.submit(mail())
    points(site, 2)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.rpartition("/")[2]))
    page.goto(f"{site.url}/mails")
    expect(page.locator(".list li")).to_have_count(1)
    assert [name for name in asked if name.startswith("uplot")] == []
    page.locator("[data-view=now]").click()
    expect(page.locator("canvas")).to_have_count(2)
    page.locator("[data-view=templates]").click()
    page.locator("[data-view=now]").click()
    expect(page.locator("canvas")).to_have_count(2)
    plots = sorted(name for name in asked if name.startswith("uplot"))
    assert plots == ["uplot.css", "uplot.js"]
    expect(page.locator(".figures")).to_contain_text("mails a minute")
    expect(page.locator(".plot h2")).to_have_text(
        ["What clients heard mails", "Time to the answer log scale"]
    )
    expect(page.get_by_text("This relay captures: it sends nothing")).to_be_visible()
    expect(page.get_by_role("meter")).to_have_count(0)
    faultless(page)


def test_dragging_zooms_all_plots_and_back_comes_back(now: Page) -> None:
    live = now.get_by_role("button", name="Back to live")
    expect(live).to_be_hidden()
    drag(now, 0.5, 0.9)
    expect(live).to_be_visible()
    found = zoom(now)
    assert found is not None
    assert 100 <= found[1] - found[0] <= 130  # 0.4 of five minutes, to whole seconds
    expect(now.locator("[aria-pressed=true]")).to_have_count(0)
    drag(now, 0.25, 0.75)
    now.wait_for_url(lambda url: str(found[0]) not in url)
    inner = zoom(now)
    assert inner is not None
    assert found[0] < inner[0] < inner[1] < found[1]
    now.go_back()
    now.wait_for_url(lambda url: str(found[0]) in url)
    now.locator(".u-over").first.dblclick()
    expect(live).to_be_hidden()
    assert zoom(now) is None
    expect(now.get_by_role("button", name="5 min", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


class Fingers:
    """Fingers on the first plot of a page; places are parts of its width."""

    def __init__(self, page: Page) -> None:
        page.locator(".u-over").first.scroll_into_view_if_needed()
        box = page.locator(".u-over").first.bounding_box()
        assert box is not None
        self._box = box
        self._line = page.context.new_cdp_session(page)

    def go(self, *ways: tuple[float, float]) -> None:
        """Each finger from here to there, all at one time."""
        self._tell("touchStart", [way[0] for way in ways])
        for step in range(1, 6):
            self._tell("touchMove", [a + (b - a) * step / 5 for a, b in ways])
        self._line.send(
            "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
        )

    def _tell(self, what: str, places: list[float]) -> None:
        y = self._box["y"] + self._box["height"] / 2
        points = [
            {"x": self._box["x"] + place * self._box["width"], "y": y, "id": finger}
            for finger, place in enumerate(places)
        ]
        self._line.send(
            "Input.dispatchTouchEvent", {"type": what, "touchPoints": points}
        )

    def go_up(self, pixels: int) -> None:
        """One finger, upwards."""
        x = self._box["x"] + self._box["width"] / 2
        y = self._box["y"] + self._box["height"] / 2
        for step in range(0, pixels + 1, 5):
            what = "touchMove" if step else "touchStart"
            points = [{"x": x, "y": y - step}]
            self._line.send(
                "Input.dispatchTouchEvent", {"type": what, "touchPoints": points}
            )
        self._line.send(
            "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
        )


def test_fingers_mark_zoom_and_scroll(browser: Browser, site: Site) -> None:
    site.submit(mail())
    points(site, 3)
    context = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 360, "height": 500}
    )
    page = context.new_page()
    page.goto(f"{site.url}/now?range=5m")
    expect(page.locator("canvas")).to_have_count(2)
    live = page.get_by_role("button", name="Back to live")
    # What goes up is the page's, and marks nothing.
    main = page.locator("main")
    finger = Fingers(page)
    before = main.evaluate("node => node.scrollTop")
    finger.go_up(120)
    page.wait_for_function(
        "before => document.querySelector('main').scrollTop > before + 60", arg=before
    )
    assert zoom(page) is None
    mark = page.locator(".u-select").first
    assert mark.evaluate("node => parseFloat(node.style.width || 0)") == 0
    # One goes along the plot, which marks it for all; then that is what is seen.
    Fingers(page).go((0.3, 0.9))
    expect(live).to_be_visible()
    found = zoom(page)
    assert found is not None
    assert 165 <= found[1] - found[0] <= 195  # 0.6 of five minutes
    # Two that part zoom in, about what lies between them.
    Fingers(page).go((0.4, 0.2), (0.6, 0.8))
    page.wait_for_url(lambda url: str(found[0]) not in url)
    inner = zoom(page)
    assert inner is not None
    assert 55 <= inner[1] - inner[0] <= 70  # a third of it
    assert abs(sum(inner) - sum(found)) <= 10
    # Two that come together zoom out, up to the whole range.
    Fingers(page).go((0.05, 0.45), (0.95, 0.55))
    expect(live).to_be_hidden()
    assert zoom(page) is None
    context.close()


def test_a_click_is_no_zoom(now: Page) -> None:
    now.locator(".u-over").first.click()
    drag(now, 0.5, 0.505)
    expect(now.get_by_role("button", name="Back to live")).to_be_hidden()
    assert zoom(now) is None


def test_each_range_is_asked_for_as_fine_as_the_relay_has_it(now: Page) -> None:
    asked: list[str] = []
    now.on("request", lambda one: asked.append(urlsplit(one.url).query))
    for name, words in (
        ("15m", "15 min"),
        ("1h", "1 h"),
        ("6h", "6 h"),
        ("24h", "24 h"),
    ):
        button = now.get_by_role("button", name=words, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert urlsplit(now.url).query == f"range={name}"
        expect(now.locator("canvas")).to_have_count(2)
    ranges = {one for one in asked if one.startswith("range=")}
    assert {"range=6h", "range=24h"} <= ranges <= {"range=1h", "range=6h", "range=24h"}
    now.reload()
    button = now.get_by_role("button", name="24 h", exact=True)
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(now.locator(".figures div").first).to_contain_text("in all")


def test_one_cursor_stands_on_all_plots(now: Page) -> None:
    when = now.locator(".when")
    expect(when).to_contain_text("live")
    over = now.locator(".u-over")
    width = over.nth(1).evaluate("node => node.clientWidth")
    # Not by the mouse alone: what comes first on a slow machine may still move it.
    over.nth(1).hover(position={"x": width - 3, "y": 20})
    expect(when).not_to_contain_text("live")
    places = "all => all.map(one => new DOMMatrix(getComputedStyle(one).transform).e)"
    found = now.locator(".u-cursor-x").evaluate_all(places)
    assert len(found) == 2
    assert max(found) - min(found) < 1
    now.mouse.move(2, 2)
    expect(when).to_contain_text("live")
    lefts = over.evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().left"
        " - one.closest('.plot').getBoundingClientRect().left)"
    )
    assert len(set(lefts)) == 1  # and the plots begin below one another


def test_all_of_it_goes_by_keyboard(now: Page) -> None:
    when = now.locator(".when")
    area = now.get_by_role("group", name="Plots")
    area.focus()
    now.keyboard.press("End")
    expect(when).not_to_contain_text("live")
    expect(now.locator("p[role=status]")).to_contain_text("What clients heard")
    last = when.text_content()
    now.keyboard.press("ArrowLeft")
    expect(when).not_to_have_text(last or "")
    now.keyboard.press("Shift+ArrowLeft")
    marked = when.text_content()
    # New figures come meanwhile, and it stays marked.
    newest = now.locator("tbody td").first
    for _ in range(2):
        expect(newest).not_to_have_text(newest.text_content() or "")
    expect(when).to_have_text(marked or "")
    width = "node => parseFloat(node.style.width)"
    assert now.locator(".u-select").first.evaluate(width) > 0
    now.keyboard.press("Enter")
    expect(now.get_by_role("button", name="Back to live")).to_be_visible()
    found = zoom(now)
    assert found is not None
    assert 9 <= found[1] - found[0] <= 30
    area.focus()
    now.keyboard.press("Escape")
    expect(when).to_contain_text("live")
    area.focus()
    now.keyboard.press("+")
    now.wait_for_url("**from=**")
    found = zoom(now)
    assert found is not None
    assert abs(found[1] - found[0] - 150) <= 2
    area.focus()
    now.keyboard.press("-")
    now.wait_for_url(lambda url: "from=" not in url)
    now.keyboard.press("g")
    now.keyboard.press("q")
    expect(now.locator("h1")).to_have_text("Queue")


@pytest.mark.parametrize(
    ("locale", "zone", "time", "number"),
    [
        ("de-DE", "Europe/Berlin", "29. Nov., 11:00 – 13:00", "12.345|1,23|98,8 %"),
        ("ja-JP", "Asia/Tokyo", "11月29日, 19:00 – 21:00", "12,345|1.23|98.8%"),
        (
            "en-US",
            "America/New_York",
            "Nov 29, 05:00 AM – 07:00 AM",
            "12,345|1.23|98.8%",
        ),
        ("en-GB", "Asia/Kolkata", "29 Nov, 15:30 – 17:30", "12,345|1.23|98.8%"),
    ],
)
def test_times_and_numbers_are_the_readers_own(
    browser: Browser, site: Site, locale: str, zone: str, time: str, number: str
) -> None:
    context = browser.new_context(locale=locale, timezone_id=zone)
    page = context.new_page()
    page.goto(f"{site.url}/now?range=24h&from={FROM}&until={UNTIL}")
    # No-break spaces are theirs, too.
    text = page.locator(".when")
    expect(text).not_to_be_empty()
    assert " ".join((text.text_content() or "").split()) == time
    found: str = page.evaluate(
        "async () => {"
        " const { count, number, part } = await import('/assets/points.js');"
        " return [count(12345), number(1.234), part(0.9876)].join('|'); }"
    )
    assert " ".join(found.split()) == number
    context.close()


def test_the_page_adds_points_up_as_the_relay_does(page: Page, site: Site) -> None:
    random = Random(18)
    many = []
    for number in range(60):
        counts = [0] * (len(BOUNDS) + 1)
        for _ in range(random.randrange(30)):
            counts[bucket(random.expovariate(8))] += 1
        mails = sum(counts)
        taken = {"accepted": mails} if mails else NONE
        times = packed(counts)
        many.append(Point(1000.0 + 5 * number, taken, taken, times, number, None, 14.0))
    many.append(Point(1300.0, NONE, {"tls": 1}, EMPTY, None, 2.0, 7.0))
    whole = point_of(joined(many))
    page.goto(f"{site.url}/now")
    found = page.evaluate(
        "async ([points, buckets]) => {"
        " const { joined, percentile, grown } = await import('/assets/points.js');"
        " const one = joined(points);"
        " const tier = points.reduce(({ every, points }, point) =>"
        "   ({ every, points: grown({ every, points }, point, 3600) }),"
        "   { every: 60, points: [] });"
        " return [one, [0.5, 0.95, 0.99].map((part) => percentile(one, part, buckets)),"
        "   tier.points.map((point) => point.seconds),"
        "   grown(tier, points.at(-1), 3600) === tier.points]; }",
        [[point_of(one) for one in many], BUCKETS],
    )
    one, percentiles, seconds, known = found
    parts = ["p50", "p95", "p99"]
    assert one == {name: whole[name] for name in one}
    assert [float(f"{value:.3g}") for value in percentiles] == [whole[p] for p in parts]
    assert sum(seconds) == 305
    assert max(seconds) == 60
    assert known  # what the relay's answer had already is not added again


def test_figures_say_what_is_wrong_and_what_cures_it(browser: Browser) -> None:
    denied = error("AccessDeniedException", 403, "not authorized: ses:SendRawEmail")
    quota = {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 43210}
    account = {
        "ProductionAccessEnabled": True,
        "SendingEnabled": True,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": quota,
    }
    with fake_ses(*[denied] * 40) as ses:
        ses.resources["/v2/email/account"] = Answer(body=json.dumps(account).encode())
        with sending_site(through(ses, RELAY_QUEUE__ENGINE="sqlite")) as site:
            for number in range(8):
                site.submit(mail(f"ann{number}@example.com"))
            points(site, 2)
            found = site.get("/api/v1/figures?range=5m").json
            assert found["whole"]["answers"].keys() == {"access_denied"}
            assert sum(found["whole"]["counts"].values()) == 8
            context = browser.new_context(locale="en-US")
            page = context.new_page()
            page.goto(f"{site.url}/now")
            bad = page.locator(".sentence.bad")
            expect(bad).to_contain_text("for the account or its sender (access denied)")
            bad.get_by_text("What to do").click()
            expect(bad).to_contain_text("The relay's role or user may not send")
            expect(page.locator(".sentence.wait")).to_contain_text(
                "86% of SES' daily quota is used"
            )
            plot = page.locator(".plot", has_text="What SES answered")
            expect(plot.locator(".legend")).to_contain_text("refused: the account")
            expect(page.get_by_role("meter", name="Quota")).to_have_attribute(
                "aria-valuetext", "43,210 of 50,000 recipients in 24 h"
            )
            expect(page.get_by_role("meter", name="Pace")).to_have_attribute(
                "aria-valuetext", "12.6 of at most 12.6 recipients/s"
            )
            expect(page.locator("canvas")).to_have_count(5)
            faultless(page)
            context.close()


def test_the_view_says_when_the_relay_is_gone(page: Page) -> None:
    with running_site() as site:
        points(site, 1)
        page.goto(f"{site.url}/now")
        expect(page.locator(".sentence.good")).to_contain_text("All is well")
        site.relay.stop()
        gone = page.locator(".sentence.bad")
        expect(gone).to_contain_text("the relay does not answer")
        expect(page.locator(".when")).not_to_contain_text("live")


def test_figures_are_given_by_range_and_as_a_whole(site: Site) -> None:
    site.submit(mail())
    points(site, 2)
    for name, every in (("5m", 5), ("15m", 5), ("1h", 5), ("6h", 60), ("24h", 300)):
        found = site.get(f"/api/v1/figures?range={name}").json
        assert found["every"] == every
        times = found["whole"]["times"]
        assert sum(times[1::2]) == sum(found["whole"]["counts"].values()) >= 1
        assert found["whole"]["p50"] <= found["whole"]["p99"]
        assert (
            sum(one["seconds"] for one in found["points"]) == found["whole"]["seconds"]
        )
    assert site.get("/api/v1/figures?range=2h").status == 400
    packed_up = site.get("/api/v1/figures", {"Accept-Encoding": "gzip"})
    assert packed_up.headers["content-encoding"] == "gzip"
