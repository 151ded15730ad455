"""The page in a real Chromium: every view, both modes, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from relay.password import hashed
from tests.fake_ses import error
from tests.server.relay_process import WAIT, until
from tests.server.test_life import through
from tests.web.browser import LAUNCH, faultless
from tests.web.site import (
    TEMPLATE,
    Site,
    fake_ses,
    mail,
    running_site,
    sending_site,
    templated,
)

expect.set_options(timeout=WAIT * 1000)
FEW, MANY = 200, 10_000
HOSTILE = (
    "<h1 onclick='alert(1)'>Hi</h1><script>parent.document.title='pwned'</script>"
    "<img src=x onerror=\"parent.document.title='pwned'\">"
    "<svg onload=\"parent.document.title='pwned'\"></svg>"
    "<iframe srcdoc='<script>top.document.title=1</script>'></iframe>"
    "<img src='{elsewhere}/pixel.gif'><link rel=stylesheet href='{elsewhere}/a.css'>"
    "<link rel=preconnect href='{elsewhere}'><style>@import url({elsewhere}/b.css);"
    "body{{background:url({elsewhere}/c.png)}}</style><base href='{elsewhere}'>"
    "<meta http-equiv=refresh content='0;url={elsewhere}'>"
    "<form action='{elsewhere}/form' id=f><button id=go>Go</button></form>"
    "<a href='javascript:parent.alert(1)'>js</a><object data='{elsewhere}/o'></object>"
    "<video autoplay src='{elsewhere}/v.mp4'></video>"
)


@contextmanager
def elsewhere() -> Iterator[tuple[str, list[object]]]:
    """Another server, and who connected to it, even without a request."""
    connections: list[object] = []

    class Server(HTTPServer):
        def verify_request(self, request: object, client_address: object) -> bool:
            connections.append(client_address)
            return False

    with Server(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", connections
        server.shutdown()
        thread.join()


@contextmanager
def serving(html: str) -> Iterator[str]:
    """A page of another server, which has no policy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_mail_comes_in_is_opened_and_read(page: Page, site: Site) -> None:
    page.goto(site.url)
    expect(page.get_by_text("No mail yet")).to_be_visible()
    expect(page.locator(".lesson pre")).to_contain_text(f":{site.relay.port()} --to")
    expect(page.locator("#mode")).to_have_text("captures, sends nothing")
    faultless(page)
    site.submit(templated("271828"))  # the list is live
    row = page.locator(".list li").first
    expect(row).to_contain_text("Your sign-in code: 271828")
    row.locator("a").click()
    expect(page.locator(".story")).to_contain_text("template SignIn; variables: code")
    expect(page.frame_locator("iframe.frame").locator("b")).to_have_text("271828")
    for tab, text in (
        ("Text", "271828"),
        ("Headers", "MIME-Version"),
        ("SendEmail", "ToAddresses"),
        ("Raw", "Download as .eml"),
    ):
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(page.get_by_role("tabpanel")).to_contain_text(text)
        faultless(page)
    with page.expect_download() as download:
        page.get_by_text("Download as .eml").click()
    assert download.value.suggested_filename.endswith(".eml")
    page.get_by_role("tab", name="Mail", exact=True).click()
    page.get_by_role("button", name="Phone").click()
    assert page.locator("iframe.frame").evaluate("one => one.clientWidth") <= 375


def test_a_mail_has_an_address_for_a_colleague(page: Page, site: Site) -> None:
    site.submit(mail(subject="For a colleague"))
    [one] = site.get("/api/v1/mails").json["mails"]
    page.goto(f"{site.url}/mails/{one['id']}")
    expect(page.get_by_role("heading", name="For a colleague")).to_be_visible()
    page.goto(f"{site.url}/mails/nosuchmail")
    expect(page.get_by_text("No such mail, or it is no longer kept")).to_be_visible()


def test_trap_20_a_hostile_mail_runs_nothing_and_fetches_nothing(
    page: Page, site: Site
) -> None:
    with elsewhere() as (away, connections):
        message = mail(subject="<img src=x onerror=alert(1)><script>alert(2)</script>")
        message.replace_header("From", '"><script>alert(3)</script>@acme.example')
        message.add_alternative(HOSTILE.format(elsewhere=away), subtype="html")
        with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
            client.sendmail("evil@acme.example", ["ann@example.com"], bytes(message))
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog}"))
        page.goto(site.url)
        page.locator(".list a").first.click()
        inside = page.frame_locator("iframe.frame")
        expect(inside.locator("h1")).to_have_text("Hi")
        inside.locator("h1").click()
        inside.locator("#go").click(force=True)
        expect(page.get_by_text("remote items are blocked")).to_be_visible()
        expect(page.locator("h1", has_text="<script>alert(2)</script>")).to_be_visible()
        for tab in ("Text", "Headers", "SendEmail", "Mail"):
            page.get_by_role("tab", name=tab, exact=True).click()
        assert "pwned" not in page.title()
        assert connections == []
        # It is there, and it is seen: a person may ask for images after all.
        page.get_by_role("button", name="Load remote content").click()
        until(lambda: bool(connections))
        assert "pwned" not in page.title()
    # Its own tab has no way out either.
    view = page.context.new_page()
    view.goto(f"{site.url}/view/{site.get('/api/v1/mails').json['mails'][0]['id']}")
    assert "pwned" not in view.title()
    assert view.evaluate("() => self.origin") == "null"


# Each alone would make Chromium connect, some of them past any policy.
OUTSIDE = """
<li<link>nk rel=preconnect href='URL'>
<l<link>ink rel=preconnect href='URL'>
<link rel=preconnect href='URL'>
<link rel=dns-prefetch href='URL'><link rel=prefetch href='URL'>
<iframe src='URL'></iframe>
<ifr<iframe>ame src='URL'></iframe>
<object data='URL'></object><embed src='URL'>
<frameset><frame src='URL'></frameset>
<svg><image href='URL'/><use href='URL#x'/></svg>
<svg><style><link rel=preconnect href='URL'></style></svg>
<math><mtext><style><link rel=preconnect href='URL'></style></mtext></math>
<noscript><p title='</noscript><link rel=preconnect href=URL>'></noscript>
<textarea><p title='</textarea><link rel=preconnect href=URL>'></textarea>
<style><p title='</style><link rel=preconnect href=URL>'></style>
<p title="'"><link rel=preconnect href='URL'>
<meta http-equiv=refresh content='0;url=URL'>
<meta http-equiv=link content='<URL>; rel=preconnect'>
<base href='URL'><img src=x>
<img src='URL/a' srcset='URL/b 2x' attributionsrc='URL'>
<picture><source srcset='URL'><img></picture>
<video poster='URL' src='URL'></video><audio src='URL'>
<body background='URL'><table background='URL'>
<input type=image src='URL'>
<style>@import 'URL';@font-face{font-family:x;src:url(URL)}*{font-family:x}</style>
<style>*{background:url(URL);cursor:url(URL),auto}</style>
<p style="background:image-set('URL' 1x)">x
<script type=speculationrules>{"prefetch":[{"source":"list","urls":["URL"]}]}</script>
<template shadowrootmode=open><link rel=preconnect href='URL'></template>
<a href='URL' ping='URL' id=hover>a link to rest upon</a>
"""


def test_no_request_leaves_for_a_mail_that_is_looked_at(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    # As a person has it: a private window, which others get, warms up no connection.
    profile = browser.browser_type.launch_persistent_context(str(tmp_path), **LAUNCH)
    profile.set_default_timeout(WAIT * 1000)
    with profile, elsewhere() as (away, connections):
        page = profile.new_page()
        # A page that may connect is seen to do so, by a server of its own, to which it
        # may connect once more later: the test can fail.
        with (
            elsewhere() as (other, seen),
            serving(f"<link rel=preconnect href='{other}'>") as url,
        ):
            page.goto(url)
            until(lambda: bool(seen))
        for html in OUTSIDE.strip().splitlines():
            message = mail(subject="outside")
            message.add_alternative(
                f"<p id=seen>seen</p>{html.replace('URL', away)}", subtype="html"
            )
            with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
                client.sendmail("evil@acme.example", ["a@example.com"], bytes(message))
            [newest, *_] = site.get("/api/v1/mails").json["mails"]
            # In the page's frame, and in a window of its own.
            page.goto(f"{site.url}/mails/{newest['id']}")
            expect(page.frame_locator("iframe.frame").locator("#seen")).to_be_visible()
            page.goto(f"{site.url}/view/{newest['id']}")
            expect(page.locator("#seen")).to_be_visible()
            if "hover" in html:
                page.locator("#hover").hover()
            page.wait_for_timeout(300)  # nothing tells of what does not happen
            assert connections == [], html


def test_a_link_in_a_mail_opens_a_tab_that_says_where_it_leads(
    page: Page, site: Site
) -> None:
    with serving("<h1>Signed in</h1><script>document.title = 'runs'</script>") as away:
        message = mail(subject="Sign in")
        message.add_alternative(
            f"<p id=first>Hi</p><a id=in href='{away}?token=1&amp;x=2' target=_top>in"
            "</a> "
            "<a id=place href='#first'>up</a> <a id=own href='/queue'>own</a>",
            subtype="html",
        )
        site.submit(message)
        page.goto(site.url)
        page.locator(".list a").first.click()
        inside = page.frame_locator("iframe.frame")
        link = inside.locator("#in")
        assert link.get_attribute("title") == away.removesuffix("/")
        with page.expect_popup() as opened:
            link.click()
        tab = opened.value
        expect(tab.get_by_role("heading")).to_contain_text(away.removesuffix("/"))
        assert tab.evaluate("() => window.opener") is None
        faultless(tab)
        expect(tab.get_by_role("link")).to_be_focused()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("heading", name="Signed in")).to_be_visible()
        assert tab.url == f"{away}?token=1&x=2"
        assert tab.title() == "runs"  # out of the sandbox, as in a mail program
        assert tab.evaluate("() => window.opener") is None
        assert inside.locator("#own").get_attribute("href") is None
        inside.locator("#place").click()
        expect(link).to_be_visible()  # the preview stays
        assert len(page.context.pages) == 2
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        tab.close()


def test_ten_thousand_mails_are_a_list_of_some_dozens(
    page: Page, browser: Browser
) -> None:
    with running_site() as site:
        few = drawn(page, site, range(FEW))
        many = drawn(page, site, range(FEW, MANY))
        assert page.locator(".list li").count() < 100
        assert many < 3.5 * few
        page.locator("input[type=search]").fill("to:r1234@example.com")
        expect(page.locator(".list li")).to_have_count(1)


def drawn(page: Page, site: Site, numbers: range) -> float:
    """Send so many mails more, look at all: what two frames while scrolling take."""
    with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
        for number in numbers:
            client.sendmail("a@b.example", f"r{number}@example.com", "\r\nx\r\n")
    page.goto(site.url)
    expect(page.locator(".list li").first).to_contain_text(f"r{numbers[-1]}@")
    listed = page.locator(".list")
    # To the very end, as fast as the wheel can: pages come in as they are needed.
    oldest = page.locator(".list li", has_text="r0@example.com")
    end = time.monotonic() + WAIT
    while not oldest.count() and time.monotonic() < end:
        listed.evaluate("one => { one.scrollTop = one.scrollHeight; }")
        page.wait_for_timeout(30)
    expect(oldest).to_be_visible()
    fastest: float = listed.evaluate(
        """async one => {
              const times = [];
              for (let step = 0; step < 60; step += 1) {
                const began = performance.now();
                one.scrollTop = one.scrollHeight * ((step * 37) % 60) / 60;
                await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
                times.push(performance.now() - began);
              }
              return times.sort((a, b) => a - b)[5];
            }"""
    )
    return fastest


def test_new_mail_does_not_move_what_one_reads(page: Page, site: Site) -> None:
    for number in range(60):
        site.submit(mail(f"r{number}@example.com"))
    page.goto(site.url)
    expect(page.locator(".list li").first).to_contain_text("r59@")
    listed = page.locator(".list")
    listed.evaluate("one => { one.scrollTop = 400; }")
    row = page.locator(".list li", has_text="r45@")
    row.wait_for()  # drawn after the scrolling
    before = row.bounding_box()
    site.submit(mail("new@example.com"))
    page.get_by_role("button", name="1 new").wait_for()
    assert row.bounding_box() == before
    page.get_by_role("button", name="1 new").click()
    expect(page.locator(".list li").first).to_contain_text("new@")


def test_what_one_reads_stays_in_its_place_when_rows_get_two_lines(
    page: Page, site: Site
) -> None:
    for number in range(80):
        site.submit(mail(f"r{number}@example.com"))
    page.goto(site.url)
    expect(page.locator(".list li").first).to_contain_text("r79@")
    listed = page.locator(".list")
    tall = "one => one.querySelector('li').offsetHeight"
    at = "one => one.scrollTop / one.querySelector('li').offsetHeight"
    assert listed.evaluate(tall) == 40
    listed.evaluate("one => { one.scrollTop = 1000; }")
    page.locator(".list li", has_text="r50@").locator("a").click()
    expect(page.locator(".story")).to_be_visible()
    until(lambda: listed.evaluate(tall) == 60)
    until(lambda: listed.evaluate(at) == 25)
    page.keyboard.press("Escape")
    until(lambda: listed.evaluate(tall) == 40)
    until(lambda: listed.evaluate(at) == 25)


def test_all_is_done_by_keyboard(page: Page, site: Site) -> None:
    for name in ("one", "two"):
        site.submit(mail(f"{name}@example.com", f"Mail {name}"))
    page.goto(site.url)
    expect(page.locator(".list li")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mail one")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Mail one")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("two")
    expect(page.locator(".list li")).to_have_count(1)
    page.keyboard.press("Escape")
    for key, heading in (("n", "Now"), ("q", "Queue"), ("t", "SignIn")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    faultless(page)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page).to_have_url(f"{site.url}/mails")


class Reloads:
    """Has all rows change, and says when the page hears of it, and what."""

    def __init__(self, page: Page, site: Site) -> None:
        self._page, self._site = page, site
        self._held: list[Route] = []
        self._found: Any = None
        self._revision = 10**6  # above all that the relay counts to
        # To tell the page that it missed something.
        page.add_init_script(
            "window.EventSource = class extends EventSource {"
            "constructor(...given) { super(...given); window.events = this; } }"
        )

    def open(self) -> None:
        """Open the page, and hold back what it asks from here on."""
        self._page.goto(self._site.url)
        expect(self._page.locator(".list li").first).to_be_visible()
        self._page.wait_for_timeout(100)  # its stream has opened, and nothing is new
        self._page.route("**/api/v1/mails?*", lambda route: self._held.append(route))

    def begin(self) -> None:
        """Have the page ask for what changed; the answer is as of now."""
        self._revision += 1
        found = self._site.get("/api/v1/mails").json
        found["asOf"] = self._revision
        self._page.evaluate(
            "mark => events.dispatchEvent(new MessageEvent('here', "
            "{data: JSON.stringify(mark)}))",
            {name: found[name] for name in ("run", "asOf", "oldest")},
        )
        self._found = found
        end = time.monotonic() + WAIT
        while not self._held and time.monotonic() < end:
            self._page.wait_for_timeout(5)
        assert "changed=" in self._held[0].request.url

    def end(self, mark: str) -> None:
        """Give the page the answer, `mark` behind each subject, which is then seen."""
        for one in self._found["mails"]:
            one["subject"] += mark
            one["rev"] = self._revision
        self._held.pop(0).fulfill(json=self._found)
        rows = self._page.locator(".list li", has_text=mark)
        expect(rows).to_have_count(len(self._found["mails"]))


def test_a_list_that_is_loaded_anew_takes_no_key_and_no_click(
    page: Page, site: Site
) -> None:
    for name in ("one", "two", "three"):
        site.submit(mail(f"{name}@example.com", f"Mail {name}"))
    reloads = Reloads(page, site)
    reloads.open()
    rows = page.locator(".list li")
    expect(rows).to_have_count(3)
    page.keyboard.press("j")
    reloads.begin()
    page.keyboard.press("j")
    reloads.end(" again")
    expect(rows.nth(1).locator("a")).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(2).locator("a")).to_be_focused()
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="Mail one")
    expect(heading).to_be_visible()
    # Back at the list, one goes on from where one was.
    page.keyboard.press("Escape")
    expect(heading).to_be_hidden()
    page.keyboard.press("k")
    expect(rows.nth(1).locator("a")).to_be_focused()

    rows.nth(2).hover()
    page.mouse.down()
    reloads.begin()
    reloads.end(" anew")
    page.mouse.up()
    expect(heading).to_be_visible()


def test_a_mail_that_comes_while_the_list_is_loaded_stays(
    page: Page, site: Site
) -> None:
    site.submit(mail(subject="Mail one"))
    reloads = Reloads(page, site)
    reloads.open()
    rows = page.locator(".list li")
    expect(rows).to_have_count(1)
    reloads.begin()
    site.submit(mail(subject="Mail two"))
    expect(rows).to_have_count(2)
    reloads.end(" again")
    expect(rows.locator(".subject")).to_have_text(["Mail two", "Mail one again"])


def test_a_narrow_window_comes_back_to_the_row_that_it_left(
    page: Page, site: Site
) -> None:
    for name in ("one", "two"):
        site.submit(mail(f"{name}@example.com", f"Mail {name}"))
    page.set_viewport_size({"width": 700, "height": 900})
    page.goto(site.url)
    rows = page.locator(".list li")
    expect(rows).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="All mails")).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows.nth(1).locator("a")).to_be_focused()


def test_templates_are_seen_as_one_types(page: Page) -> None:
    templates = [
        {
            "usageType": "SignIn",
            "subject": "Code {{code}}",
            "content": "<p>{{code}}</p>\n<img src='cid:x.png'>\n<p>{{nickname}}</p>",
        },
        {"usageType": "SignIn", "locale": "fr", "subject": "{{code}}", "content": "x"},
        {"usageType": "Generic", "subject": "G", "content": "x" * 102_001},
    ]
    settings = {
        "RELAY_TEMPLATES": json.dumps(templates),
        "RELAY_SES__EMAIL_ADDRESS": "noreply@acme.example",
    }
    with running_site(settings=settings) as site:
        page.goto(f"{site.url}/templates")
        inside = page.frame_locator("iframe.frame").locator("p").first
        expect(inside).to_have_text("123456")
        page.get_by_label("code", exact=True).fill("<b>99</b>")
        expect(page.frame_locator("iframe.frame").locator("p").first).to_have_text(
            "<b>99</b>"
        )
        problems = page.get_by_role("list", name="Problems")
        expect(problems).to_contain_text("an image without alt")
        expect(problems).to_contain_text("{{nickname}}: Logto passes no such variable")
        faultless(page)
        page.get_by_role("button", name="line 2").first.click()
        expect(page.locator(".lines .here")).to_contain_text("x.png")
        page.get_by_role("link", name="SignIn · fr").click()
        expect(page.get_by_role("heading", name="SignIn · fr")).to_be_visible()
        page.get_by_role("link", name="Generic").click()
        expect(problems).to_contain_text("Gmail cuts it off")
        page.get_by_label("Send one to").fill("ann@example.com")
        page.get_by_role("button", name="Send one").click()
        page.get_by_text("250 2.0.0 captured as").click()
        expect(page.get_by_role("heading", name="G", exact=True)).to_be_visible()


def test_the_queue_says_why_and_moves_what_one_asks(browser: Browser) -> None:
    denied = error("AccessDeniedException", 403)
    with fake_ses(denied, denied, denied) as ses:
        settings = through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_QUEUE__SLOW_DELAYS="[3600]",  # none leaves by itself meanwhile
            RELAY_TEMPLATES=TEMPLATE,
            RELAY_WEB__USER="ann",
            RELAY_WEB__PASSWORD_HASH=hashed("pass"),
        )
        with sending_site(settings) as site:
            for name in ("one", "two", "three"):
                site.submit(templated("314159", f"{name}@example.com"))
            context = browser.new_context(
                http_credentials={"username": "ann", "password": "pass"}
            )
            page = context.new_page()
            page.goto(f"{site.url}/queue")
            expect(page.locator("tbody tr")).to_have_count(3)
            first = page.locator("tbody tr").first
            expect(first).to_contain_text("SES said: Access denied. Next try in")
            expect(page.locator("#trouble")).to_contain_text(
                "SES takes no mail: Access denied. 3 mails wait."
            )
            faultless(page)
            # What one reads and where one is stay, though all is asked anew.
            page.get_by_text("What to do").first.click()
            drop = first.get_by_role("button", name="Drop")
            drop.focus()
            for _ in range(2):
                with page.expect_response("**/api/v1/queue?*"):
                    pass
                with page.expect_response("**/api/v1/status"):
                    pass
            expect(drop).to_be_focused()
            expect(page.locator("#trouble pre").first).to_be_visible()
            first.get_by_role("button", name="Retry").click()
            page.get_by_role("button", name="Retry 1 mail").click()
            expect(page.locator("tbody tr")).to_have_count(2)
            page.get_by_role("button", name="Drop all 2").click()
            expect(page.get_by_role("dialog")).to_contain_text("Drop 2 mails?")
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("tbody tr")).to_have_count(2)
            page.get_by_role("button", name="Drop all 2").click()
            page.get_by_role("button", name="Drop 2 mails").click()
            expect(page.get_by_text("Nothing waits")).to_be_visible()
            page.get_by_role("link", name="Mails").click()
            expect(page.locator(".list li").first).to_contain_text("Dropped")
            assert "314159" not in page.content()
            page.locator(".list li").last.locator("a").click()
            expect(page.locator(".story")).to_contain_text("Message id")
            assert "314159" not in page.content()
            expect(page.locator("#mode")).to_have_text("sends through SES eu-west-1")
            context.close()


def test_a_read_only_page_says_so_and_tells_a_story_in_its_order(page: Page) -> None:
    denied = error("AccessDeniedException", 403, "not authorized: ses:SendRawEmail")
    with fake_ses(denied, denied) as ses:
        settings = through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_TEMPLATES=TEMPLATE,
        )
        with sending_site(settings) as site:
            site.submit(templated("314159"))
            page.goto(f"{site.url}/queue")
            read_only = page.locator("main .notice", has_text="Read-only")
            expect(read_only).to_be_visible()
            expect(page.get_by_role("button", name="Retry")).to_have_count(0)
            page.locator("tbody a").first.click()
            story = page.locator(".story li")
            expect(story.filter(has_text="The client heard")).to_be_visible()
            expect(page.get_by_text("Contents are not kept")).to_be_visible()
            expect(page.get_by_role("tab")).to_have_text(["SendEmail"])
            faultless(page)


def test_search_and_tab_stand_in_the_address(page: Page, site: Site) -> None:
    for name in ("one", "two"):
        site.submit(mail(f"{name}@example.com", f"Mail {name}"))
    page.goto(site.url)
    field = page.locator("input[type=search]")
    rows = page.locator(".list li")
    expect(rows).to_have_count(2)
    field.fill("form:me")
    expect(page.get_by_role("alert")).to_contain_text("form: is none of usage:")
    field.fill("-to:two since:10m")
    expect(rows).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("State").select_option("captured")
    rows.first.locator("a").click()
    page.get_by_role("tab", name="Headers").click()
    address = page.url
    assert "q=-to%3Atwo+since%3A10m&state=captured&tab=Headers" in address
    page.goto("about:blank")
    page.goto(address)
    expect(rows).to_have_count(1)
    expect(page.get_by_role("tab", name="Headers")).to_have_attribute(
        "aria-selected", "true"
    )
    expect(field).to_have_value("-to:two since:10m")
    page.get_by_role("link", name="Mails", exact=True).click()
    expect(rows).to_have_count(2)
    expect(field).to_have_value("")


def test_copying_works_where_the_browser_gives_no_clipboard(browser: Browser) -> None:
    arguments = [*LAUNCH["args"], "--host-resolver-rules=MAP relay.test 127.0.0.1"]
    with running_site(settings={"RELAY_WEB__HOSTS": '["relay.test"]'}) as site:
        other = browser.browser_type.launch(**{**LAUNCH, "args": arguments})
        page = other.new_page()
        page.goto(f"http://relay.test:{site.port}/mails")
        assert page.evaluate("() => navigator.clipboard === undefined")
        page.get_by_role("button", name="Copy line").click()
        page.get_by_role("button", name="Copied").wait_for()
        page.locator("input[type=search]").click()
        page.keyboard.press("Control+V")
        assert page.locator("input[type=search]").input_value().startswith("swaks ")
        other.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_at_360_pixels_nothing_is_lost(
    browser: Browser, site: Site, scheme: str
) -> None:
    long = "An exceedingly long subject " * 20
    site.submit(mail("a" * 60 + "@" + "long." * 30 + "example", long))
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for path in ("/mails", "/now", "/templates", "/queue"):
        page.goto(site.url + path)
        page.locator("main > *").first.wait_for()
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 360, path
        faultless(page)
    page.goto(site.url)
    page.locator(".list a").first.click()
    expect(page.locator(".story")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    faultless(page)
    page.get_by_role("link", name="All mails").click()
    expect(page.locator(".list")).to_be_visible()
    context.close()


def test_the_page_says_when_the_relay_is_gone(page: Page) -> None:
    with running_site() as site:
        page.goto(site.url)
        expect(page.locator("#health-text")).to_have_text("All is well")
        site.relay.stop()
        expect(page.locator("#health-text")).to_contain_text("The relay is gone")
        gone = page.locator("#gone")
        expect(gone).to_contain_text("The relay does not answer since")
        # A view that was not seen yet comes as soon as it can.
        page.locator("[data-view=queue]").click()
        expect(page.locator("main")).to_contain_text("as soon as the relay answers")
        faultless(page)
    with running_site(settings={"RELAY_WEB__LISTEN": f"127.0.0.1:{site.port}"}):
        expect(page.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
        expect(gone).to_be_empty()
        expect(page.locator("#health-text")).to_have_text("All is well")


def test_locales_stand_side_by_side_and_variables_are_json(page: Page) -> None:
    style = (
        "<style>p{color:rgb(1,1,1)}@media (prefers-color-scheme: dark)"
        "{p{color:rgb(2,2,2)}}</style>"
    )
    templates = [
        {
            "usageType": "SignIn",
            "locale": locale,
            "subject": f"{word} {{{{code}}}}",
            "content": f"{style}<p>{word} {{{{code}}}} {{{{user.name}}}}</p>",
        }
        for locale, word in (("en", "Code"), ("fr", "Le code"))
    ]
    with running_site(settings={"RELAY_TEMPLATES": json.dumps(templates)}) as site:
        page.goto(f"{site.url}/templates/SignIn?locale=en")
        page.get_by_text("As JSON").click()
        field = page.get_by_label("Variables as JSON")
        field.fill('{"code": "7", "user": {"name": "Ann"}')
        said = page.locator("details .note.bad")
        expect(said).to_contain_text("line 1 column")
        field.fill('{"code": "7", "user": {"name": "Ann"}}')
        expect(said).to_be_empty()
        shown = page.frame_locator("iframe.frame").locator("p")
        expect(shown).to_have_text("Code 7 Ann")
        expect(page.get_by_label("code", exact=True)).to_have_value("7")
        page.get_by_label("code", exact=True).fill("8")
        expect(field).to_have_value(re.compile('"code": "8"'))
        expect(shown).to_have_text("Code 8 Ann")
        page.get_by_role("tab", name="All locales").click()
        frames = page.locator("iframe.frame")
        expect(frames).to_have_count(2)
        for index, text in enumerate(("Code 8 Ann", "Le code 8 Ann")):
            inside = page.frame_locator("iframe.frame").nth(index).locator("p")
            expect(inside).to_have_text(text)
        expect(page.locator("figcaption").last).to_have_text("fr: Le code 8")
        for scheme, colour in (("Dark", "rgb(2, 2, 2)"), ("Light", "rgb(1, 1, 1)")):
            page.get_by_role("button", name=scheme, exact=True).click()
            expect(inside).to_have_css("color", colour)
        page.get_by_role("button", name="Phone").click()
        assert frames.last.evaluate("one => one.clientWidth") <= 375
        faultless(page)
