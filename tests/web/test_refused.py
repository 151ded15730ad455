"""Why a mail was refused, what programs make of it, and forwarding it; in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fake_ses import error
from tests.server.relay_process import WAIT
from tests.server.test_life import through
from tests.web.browser import faultless
from tests.web.site import (
    TEMPLATE,
    Site,
    fake_ses,
    mail,
    sending_site,
    templated,
)
from tests.web.test_checks import HTML, with_html
from tests.web.test_forwarding import PASSWORD, guarded, kept

expect.set_options(timeout=WAIT * 1000)


def newest(site: Site) -> str:
    return str(site.get("/api/v1/mails").json["mails"][0]["id"])


def copied(page: Page, label: str) -> str:
    """What is in the clipboard after a click on the button beside `label`."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fix = page.locator(".fix", has_text=label)
    fix.get_by_role("button", name="Copy it").click()
    expect(fix.get_by_role("button", name="Copied")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_wrong_header_is_marked_and_the_right_one_copied(
    site: Site, page: Page, scheme: Literal["light", "dark"]
) -> None:
    message = mail()
    message["X-Relay-Usage"] = "SignIn"
    message["X-Relay-Variables"] = '{"application": {"name": "Shop"}}'
    assert site.submit(message).startswith("550 5.6.0 Variables not given: code")
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site.url}/mails/{newest(site)}")
    why = page.get_by_role("region", name="Why it was refused")
    expect(why).to_contain_text("The template of SignIn prints code")
    expect(why.locator(".wrong")).to_contain_text(
        'X-Relay-Variables: {"application": {"name": "Shop"}}'
    )
    expect(why.get_by_role("img", name="Wrong:")).to_have_count(1)
    line = copied(page, "Send this header")
    name, _, value = line.partition(": ")
    assert name == "X-Relay-Variables"
    assert json.loads(value) == {"application": {"name": "Shop"}, "code": "123456"}
    faultless(page)
    # What was copied is what the relay takes.
    message.replace_header("X-Relay-Variables", value)
    assert site.submit(message).startswith("250")


def test_what_is_missing_is_said_and_broken_json_has_its_place(
    site: Site, page: Page
) -> None:
    message = mail()
    message["X-Relay-Usage"] = "SignIn"
    site.submit(message)
    page.goto(f"{site.url}/mails/{newest(site)}")
    expect(page.locator(".came .lacks")).to_contain_text("X-Relay-Variables: …")
    expect(page.locator(".came .wrong")).to_have_count(0)
    for number in range(60):
        message[f"X-Filler-{number}"] = "x"
    message["X-Relay-Variables"] = '{"code": 12x}'
    site.submit(message)
    page.goto(f"{site.url}/mails/{newest(site)}")
    expect(page.locator(".came mark")).to_have_text("x")
    expect(page.locator(".came .wrong")).to_be_in_viewport()
    expect(page.locator(".came")).to_contain_text("and 17 more")


def test_where_mail_is_sent_it_says_no_value(page: Page) -> None:
    with (
        fake_ses() as ses,
        sending_site(through(ses, RELAY_TEMPLATES=TEMPLATE)) as site,
    ):
        message = mail(subject="Secret 314159")
        message["X-Relay-Usage"] = "SignIn"
        message["X-Relay-Variables"] = '{"other": "314159"}'
        site.submit(message)
        page.goto(f"{site.url}/mails/{newest(site)}")
        why = page.get_by_role("region", name="Why it was refused")
        expect(why.locator(".wrong")).to_contain_text("X-Relay-Variables: …")
        expect(why).to_contain_text("X-Relay-Usage: SignIn")
        expect(why).to_contain_text("Values are not kept where mail is sent.")
        assert "314159" not in page.content()


def test_what_waits_says_why_once_and_on_top_what_to_do(page: Page) -> None:
    text = (
        "User: arn:aws:sts::111122223333:assumed-role/app is not authorized to "
        "perform: ses:SendEmail on resource: *"
    )
    denied = error("AccessDeniedException", 403, text)
    queue = {"RELAY_QUEUE__ENGINE": "sqlite"}
    with fake_ses(*[denied] * 20) as ses, sending_site(through(ses, **queue)) as site:
        assert site.submit(mail()).startswith("250 2.0.0 queued")
        page.goto(f"{site.url}/mails/{newest(site)}")
        why = page.get_by_role("region", name="Why it waits")
        expect(why).to_contain_text("may not send")
        policy = json.loads(copied(page, "Give its role"))
        assert policy["Statement"][0]["Action"] == ["ses:SendEmail", "ses:SendRawEmail"]
        expect(page.locator(".story")).to_contain_text("is not authorized to perform")
        expect(page.locator(".story")).not_to_contain_text("this grants it")
        page.locator("#trouble summary").click()
        expect(page.locator("#trouble pre")).to_contain_text('"Version": "2012-10-17"')
        faultless(page)


def test_the_checks_of_a_mail_name_its_size_links_images_and_programs(
    site: Site, page: Page
) -> None:
    site.submit(with_html(HTML))
    page.goto(f"{site.url}/mails/{newest(site)}?tab=Checks")
    checks = page.locator(".checks")
    expect(checks.locator(".sums")).to_contain_text("4 links to 2 hosts")
    expect(checks.locator(".sums")).to_contain_text("1 remote, 1 embedded, 1 inline")
    expect(checks).to_contain_text("display:grid: not taken by Outlook for Windows")
    expect(checks.get_by_role("img", name="Problem:")).to_have_count(2)
    checks.get_by_text("Where its links lead").click()
    expect(checks).to_contain_text("not encrypted")
    faultless(page)
    site.submit(with_html('<p>Hello</p><img src="cid:a" alt="A">'))
    page.goto(f"{site.url}/mails/{newest(site)}?tab=Checks")
    expect(checks).to_contain_text("Nothing to mend")


@contextmanager
def asked_as_ann(browser: Browser, width: int = 1440) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        http_credentials={"username": "ann", "password": PASSWORD},
    )
    context.set_default_timeout(WAIT * 1000)
    try:
        yield context.new_page()
    finally:
        context.close()


def test_a_kept_mail_is_forwarded_by_keyboard_and_the_stories_are_linked(
    browser: Browser,
) -> None:
    with guarded() as (site, ses), asked_as_ann(browser, 360) as page:
        site.submit(templated("314159"))
        one = kept(site)["id"]
        page.goto(f"{site.url}/mails/{one}")
        page.locator(".forward summary").press("Enter")
        to = page.get_by_label("Forward to")
        to.fill("nobody")
        to.press("Enter")
        said = page.locator(".forward").get_by_role("status")
        expect(said).to_have_text("to: not an address that SES takes")
        to.fill("stranger@elsewhere.example")
        to.press("Enter")
        expect(said).to_contain_text("550 5.7.1 The guard of this relay")
        assert ses.sent == []
        to.fill("dev@acme.example")
        to.press("Enter")
        expect(said).to_contain_text("250 2.0.0 Ok")
        expect(to).to_be_focused()  # though the story was drawn anew
        faultless(page)
        forwarded = page.locator(".story li", has_text="Forwarded as")
        expect(forwarded).to_have_count(2)  # the refused one has its story, too
        forwarded.last.get_by_role("link").click()
        back = page.locator(".story li", has_text="Forwarded here")
        expect(back.get_by_role("link")).to_have_text(one)
        back.get_by_role("link").click()
        expect(page.locator(".story li", has_text="Forwarded as")).to_have_count(2)
        assert len(ses.sent) == 1


def test_where_a_mail_cannot_be_forwarded_it_says_why(
    site: Site, page: Page, browser: Browser
) -> None:
    site.submit(mail())
    page.goto(f"{site.url}/mails/{newest(site)}")
    page.locator(".forward summary").click()
    expect(page.locator(".forward")).to_contain_text("nothing leaves it")
    expect(page.get_by_role("button", name="Send it")).to_have_count(0)
    with guarded(RELAY_WEB__USER="", RELAY_WEB__PASSWORD_HASH="") as (other, _):
        other.submit(mail())
        page.goto(f"{other.url}/mails/{newest(other)}")
        page.locator(".forward summary").click()
        expect(page.locator(".forward")).to_contain_text("Read-only: set web.user")
