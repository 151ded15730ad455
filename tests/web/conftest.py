"""One captured relay for the tests that do not change its settings, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.server.relay_process import WAIT
from tests.web.browser import LAUNCH, need_chromium
from tests.web.site import Site, running_site


@pytest.fixture(scope="session")
def _captured() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def site(_captured: Site) -> Site:
    """The page of a relay that captures, its inbox empty."""
    assert _captured.ask("DELETE", "/api/v1/mails").status == 200
    return _captured


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**LAUNCH)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window; an error of the page's own scripts fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda found: errors.append(str(found)))
    yield page
    context.close()
    assert errors == []
