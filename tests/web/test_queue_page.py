"""The view of the queue: causes, search, and what moves all of a cause."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from relay.model.reply import Reply
from relay.password import hashed
from tests.server.relay_process import WAIT
from tests.server.spool import DENIED, UNREACHABLE, failed, mail, put, spool, waits
from tests.server.test_life import through
from tests.web.browser import faultless
from tests.web.site import Site, fake_ses, running_site, sending_site

MANY = 1234
Opened = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def spooled(tmp_path: Path) -> Path:
    """A spool with many mails that SES denied, and some of other causes."""
    path = tmp_path / "spool.db"

    async def fill() -> None:
        async with spool(path) as queue:
            await queue.put(
                [
                    waits(queue, DENIED, age=9000, due_in=900, to=f"u{n}@example.com")
                    for n in range(MANY)
                ]
            )
            replies = [
                Reply(554, "7.1", f"Message rejected: {name}@x.example is not verified")
                for name in "abc"
            ]
            await queue.put([waits(queue, one, age=60 * 60 * 48) for one in replies])
            await queue.put(
                [
                    waits(queue, UNREACHABLE, due_in=900),
                    waits(queue, None, later=True, due_in=86_400),
                ]
            )
            await put(queue, mail("gone@example.com"), end=failed(queue))

    # The browser has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(fill())).result()
    return path


@pytest.fixture
def opened(browser: Browser, spooled: Path) -> Opened:
    """Opens the view on a relay with that spool, whose SES takes everything."""

    @contextmanager
    def view(
        where: str = "/queue", more: Mapping[str, str] | None = None
    ) -> Iterator[Page]:
        with fake_ses() as ses:
            settings = through(
                ses,
                RELAY_QUEUE__ENGINE="sqlite",
                RELAY_QUEUE__PATH=str(spooled),
                RELAY_WEB__USER="ann",
                RELAY_WEB__PASSWORD_HASH=hashed("pass"),
            )
            with sending_site({**settings, **(more or {})}) as site:
                context = browser.new_context(
                    http_credentials={"username": "ann", "password": "pass"},
                    locale="de-DE",
                    timezone_id="Europe/Berlin",
                )
                page = context.new_page()
                page.goto(f"{site.url}{where}")
                expect(page.locator("tbody tr").first).to_be_visible()
                yield page
                context.close()

    return view


def test_all_of_a_cause_are_retried_and_their_number_is_said(opened: Opened) -> None:
    with opened() as page:
        card = page.locator(".causes li").first
        expect(card).to_contain_text("1.234 × Access denied")
        expect(card).to_contain_text(re.compile(r"next try in \d+ min \(\d\d:\d\d\)"))
        card.get_by_text("The policy that cures it").click()
        expect(card.locator("pre").first).to_contain_text('"ses:SendRawEmail"')
        expect(page.locator(".age-names")).to_contain_text("1 h to 6 h: 1.234")
        expect(page.locator(".age-names")).to_contain_text("over 1 d: 3")
        faultless(page)
        card.get_by_role("button", name="Retry all 1.234").click()
        expect(page.get_by_role("dialog")).to_contain_text("Retry 1.234 mails?")
        page.get_by_role("button", name="Retry 1.234 mails").click()
        said = page.locator("main [role=status]")
        expect(said).to_contain_text("1.234 mails retried.")
        # SES takes all of it now, one after the other.
        expect(page.locator(".causes li")).to_have_count(3, timeout=WAIT * 1000)
        expect(page.get_by_text("Access denied")).to_have_count(0)


def test_a_cause_is_looked_at_alone_and_dropped_whole(opened: Opened) -> None:
    with opened() as page:
        page.get_by_role("button", name="Identity not verified").first.click()
        expect(page.locator("tbody tr")).to_have_count(3)
        expect(page.locator(".causes li")).to_have_count(1)
        assert "cause=not_verified" in page.url
        page.get_by_text("The reply to one of them").click()
        expect(page.locator(".causes pre")).to_contain_text("a@x.example")
        page.get_by_role("button", name="Drop all 3: Identity").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("tbody tr")).to_have_count(3)
        page.get_by_role("button", name="Drop all 3: Identity").click()
        page.get_by_role("button", name="Drop 3 mails").click()
        expect(page.get_by_text("3 mails dropped.")).to_be_visible()
        expect(page.get_by_text("Nothing is found")).to_be_visible()
        page.get_by_role("button", name="Search for nothing").click()
        expect(page.locator(".causes li").first).to_contain_text("1.234")
        page.go_back()
        expect(page.get_by_text("Nothing is found")).to_be_visible()


def test_the_queue_is_searched_and_what_is_found_is_moved(opened: Opened) -> None:
    with opened() as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("button", name="Show 50 more of 1.189").click()
        expect(rows).to_have_count(100)
        page.keyboard.press("/")
        page.keyboard.type("to:u77@ -usage:SignIn")
        expect(rows).to_have_count(1)
        expect(page.get_by_role("heading", name="1 mail: found")).to_be_visible()
        assert "q=to%3Au77" in page.url
        page.reload()
        expect(rows).to_have_count(1)
        page.get_by_role("button", name="Drop all that is found").click()
        page.get_by_role("button", name="Drop 1 mail").click()
        expect(page.get_by_text("Nothing is found")).to_be_visible()
        field = page.get_by_role("searchbox")
        field.fill("form:me")
        expect(page.get_by_role("alert")).to_contain_text("form: is none of to:")
        field.fill("")
        expect(page.locator(".causes li").first).to_contain_text("1.233")
        page.get_by_role("button", name="over 1 d: 3").click()
        expect(rows).to_have_count(3)
        expect(field).to_have_value("until:1d")


def test_what_failed_stands_apart_and_is_retried(opened: Opened) -> None:
    with opened("/queue?state=failed") as page:
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text("Given up: Access denied")
        page.get_by_role("button", name="Retry: Access denied").click()
        page.get_by_role("button", name="Retry 1 mail").click()
        expect(page.get_by_text("1 mail retried.")).to_be_visible()
        expect(page.get_by_text("Nothing failed")).to_be_visible()


def test_mail_for_later_is_dropped_by_the_group_and_never_hurried(
    opened: Opened,
) -> None:
    with opened("/queue?cause=later&account=default") as page:
        card = page.locator(".causes li")
        expect(card).to_contain_text("1 × To be sent later")
        expect(card.get_by_role("button", name="Retry")).to_have_count(0)
        expect(card.get_by_role("button", name="Drop: To be")).to_be_visible()


def test_an_empty_queue_teaches_and_none_says_so(browser: Browser) -> None:
    def shown(site: Site, text: str) -> None:
        page = browser.new_page()
        page.goto(f"{site.url}/queue")
        expect(page.get_by_text(text)).to_be_visible()
        faultless(page)
        page.close()

    with running_site() as site:
        shown(site, "There is no queue")
    with (
        fake_ses() as ses,
        sending_site(through(ses, RELAY_QUEUE__ENGINE="sqlite")) as site,
    ):
        shown(site, "relay queue list")
