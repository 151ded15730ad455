"""The page looks as it did: pictures of its views, compared with those that are kept.

`make screenshots` renews them, so that a change of looks is seen in review.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.server.relay_process import WAIT
from tests.web.browser import need_chromium
from tests.web.picture import KEPT, STEADY, Window, differences, taken, window
from tests.web.scenes import LOGIN, SCENES, relay
from tests.web.site import Site

MADE = Path(__file__).parents[2] / "build" / "pictures"
ALL = [(scene.name, how) for scene in SCENES for how in scene.kept]
BY_NAME = {scene.name: scene for scene in SCENES}
Relays = Callable[[str], Site]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**STEADY)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def relays() -> Iterator[Relays]:
    """Relays by name, each started when it is asked for first."""
    running: dict[str, Site] = {}
    with ExitStack() as stack:

        def started(name: str) -> Site:
            if name not in running:
                running[name] = stack.enter_context(relay(name))
            return running[name]

        yield started


@pytest.mark.parametrize(("name", "how"), ALL, ids=map("-".join, ALL))
def test_it_looks_as_it_did(
    browser: Browser, relays: Relays, name: str, how: str
) -> None:
    scene, file = BY_NAME[name], f"{name}-{how}.png"
    assert (KEPT / file).is_file(), f"no picture {file}: make screenshots takes it"
    before = (KEPT / file).read_bytes()
    with window(browser, Window.of(how), login=LOGIN) as page:
        scene.go(page, relays(scene.relay))
        end = time.monotonic() + WAIT / 2  # what comes late under load is waited for
        while found := differences(page, before, now := taken(page)):
            if time.monotonic() > end:
                break
        if found:
            MADE.mkdir(parents=True, exist_ok=True)
            (MADE / file).write_bytes(now)
        assert found == {}, (
            f"{name} looks different at these places (x,y: by how much): see "
            f"{MADE / file} beside {KEPT / file}; if that is meant, make screenshots "
            "renews it"
        )


def test_no_picture_is_kept_of_what_is_no_more() -> None:
    kept = sorted(file.stem for file in KEPT.glob("*.png"))
    assert kept == sorted(f"{name}-{how}" for name, how in ALL)


@pytest.fixture(scope="module")
def mails(browser: Browser, relays: Relays) -> Iterator[tuple[Page, bytes]]:
    """A page that is changed, and how it looked before."""
    with window(browser, Window.of("wide-light"), login=LOGIN) as page:
        BY_NAME["mail"].go(page, relays("captured"))
        yield page, taken(page)


@pytest.mark.parametrize(
    "style",
    [
        ".views a:nth-child(2) .icon { visibility: hidden }",
        ".list li:nth-child(3) .state .icon { visibility: hidden }",
        "#theme .icon { visibility: hidden }",
        ".dot { visibility: hidden }",
        ".list .word { visibility: hidden }",
        ".list .subject { transform: translateX(8px) }",
        ".list .subject { font-size: 15px }",
        ":root { --bar: 52px }",
        ":root { --good: #1e8e3e }",
        ":root { --chosen: #dbe7fd }",
        ":root { --raised: #eef0f3 }",
        ":root { --soft: #6b7480 }",
    ],
)
def test_a_change_of_looks_is_seen(mails: tuple[Page, bytes], style: str) -> None:
    page, before = mails
    assert differences(page, before, taken(page)) == {}
    page.evaluate(
        """style => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(style);
            document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
        }""",
        style,
    )
    seen = differences(page, before, taken(page))
    page.evaluate(
        "() => { document.adoptedStyleSheets = [document.adoptedStyleSheets[0]]; }"
    )
    assert seen != {}


@pytest.mark.parametrize("hinting", ["slight", "full"])
def test_another_way_to_draw_letters_is_none(
    browser: Browser, mails: tuple[Page, bytes], relays: Relays, hinting: str
) -> None:
    page, before = mails
    args = [
        *STEADY["args"][:-1],
        f"--font-render-hinting={hinting}",
        "--disable-lcd-text",
    ]
    other = browser.browser_type.launch(**{**STEADY, "args": args})
    with window(other, Window.of("wide-light"), login=LOGIN) as elsewhere:
        BY_NAME["mail"].go(elsewhere, relays("captured"))
        assert differences(page, before, taken(elsewhere)) == {}
    other.close()
