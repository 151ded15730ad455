"""What there is to look at: relays with some mail, and views of them.

For the pictures that are kept (`test_looks.py`) and those of the documents
(`scripts/screenshots.py`).
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from playwright.sync_api import Page, expect

from relay.password import hashed
from tests.fake_ses import error
from tests.server.relay_process import until
from tests.server.test_life import through
from tests.web.site import (
    TEMPLATE,
    Site,
    fake_ses,
    mail,
    running_site,
    sending_site,
    templated,
)
from tests.web.test_page import HOSTILE
from tests.web.test_safety import basic

Go = Callable[[Page, Site], None]  # brings a window to a view
LOGIN = ("ann", "pass")
LINK = "https://accounts.acme.example/reset?token=k3v9&next=/inbox"
LONG = "A subject that does not end " * 12
RIGHT_TO_LEFT = "שלום עולם"
ORDER = "Your order 4711"
PROBLEMS = json.dumps(
    [
        {
            "usageType": "SignIn",
            "subject": "Your code is {{code}}",
            "content": "<p>Your code is <b>{{code}}</b>, {{nickname}}.</p>\n"
            "<img src='https://acme.example/logo.png'>\n<p>{{#if x}}</p>",
        },
        {"usageType": "SignIn", "locale": "fr", "subject": "{{code}}", "content": "x"},
        {"usageType": "Generic", "subject": "G", "content": "<p>x</p>" * 15_000},
    ]
)
DENIED = error("AccessDeniedException", 403, "not authorized: ses:SendRawEmail")


def empty() -> Iterator[Site]:
    """A relay that captures and heard of no mail yet."""
    with running_site() as site:
        yield site


def captured(*, many: int = 12) -> Iterator[Site]:
    """One that captured some of each kind."""
    with running_site() as site:
        for number in range(many):
            order = mail(f"customer{number}@example.com", f"Invoice {4700 + number}")
            site.submit(order)
        for number in range(4):
            site.submit(templated(str(481_516 + number), f"ann{number}@example.com"))
        site.submit(mail("throttle@relay.test", "Throttled"))
        site.submit(mail("reject@relay.test", "Rejected"))
        site.submit(mail(f"{'very.long' * 6}@{'long.' * 20}example", LONG))
        site.submit(mail("ann@example.com", RIGHT_TO_LEFT, f"{RIGHT_TO_LEFT}\n"))
        hostile = mail("ann@example.com", "<script>alert(1)</script> & <b>you</b>")
        hostile.add_alternative(
            HOSTILE.format(elsewhere="https://elsewhere.example"), subtype="html"
        )
        with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
            client.sendmail("evil@acme.example", ["ann@example.com"], bytes(hostile))
        site.submit(
            mail("ann@example.com", ORDER, "Your code is 4821: https://acme.example/\n")
        )
        site.submit(templated("271828"))
        yield site


def flawed() -> Iterator[Site]:
    """One whose templates have mistakes."""
    with running_site(settings={"RELAY_TEMPLATES": PROBLEMS}) as site:
        yield site


def outage(*, waits: int = 9) -> Iterator[Site]:
    """One that sends, while SES denies it; nothing is tried again while one looks."""
    with fake_ses(*[DENIED] * 3 * waits) as ses:
        settings = through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_QUEUE__RETRY_DELAYS="[3600]",
            RELAY_QUEUE__SLOW_DELAYS="[3600]",
            RELAY_PACE__RATE="14",
            RELAY_TEMPLATES=TEMPLATE,
            RELAY_WEB__USER=LOGIN[0],
            RELAY_WEB__PASSWORD_HASH=hashed(LOGIN[1]),
        )
        with sending_site(settings) as site:
            for number in range(waits):
                site.submit(templated("123456", f"ann{number}@example.com"))
            yield site


def bare() -> Iterator[Site]:
    """One that sends and has no template, no queue's mail, nobody to change it."""
    with fake_ses() as ses:
        settings = through(ses, RELAY_QUEUE__ENGINE="sqlite")
        with sending_site(settings) as site:
            yield site


RELAYS: dict[str, Callable[[], Iterator[Site]]] = {
    "empty": empty,
    "captured": captured,
    "leaving": empty,
    "flawed": flawed,
    "outage": outage,
    "bare": bare,
}


@contextmanager
def relay(name: str) -> Iterator[Site]:
    """Run it."""
    yield from RELAYS[name]()


def _at(path: str, seen: str) -> Go:
    """At an address, when this is to be seen."""

    def go(page: Page, site: Site) -> None:
        page.goto(site.url + path)
        expect(page.locator(seen).first).to_be_visible()
        expect(page.locator("#health.good, #health.bad, main.lesson")).to_be_visible()

    return go


def _mail(subject: str, then: str = "", seen: str = ".story") -> Go:
    """The mail whose subject begins so; `then` is what follows in its address."""

    def go(page: Page, site: Site) -> None:
        listed = site.get("/api/v1/mails").json["mails"]
        found = next(one for one in listed if one["subject"].startswith(subject))
        _at(f"/mails/{found['id']}{then}", seen)(page, site)
        if not then and page.viewport_size and page.viewport_size["width"] > 1100:
            expect(page.locator(".list a[aria-current]")).to_be_visible()

    return go


def _keys(page: Page, site: Site) -> None:
    _at("/mails", ".list a")(page, site)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def _gone(page: Page, site: Site) -> None:
    """Last of all: no other window sees the relay again."""
    _at("/mails", ".lesson")(page, site)
    site.relay.stop()
    expect(page.locator("#gone .notice")).to_be_visible(timeout=60_000)


def _locales(page: Page, site: Site) -> None:
    _at("/templates/SignIn", "iframe.frame")(page, site)
    page.get_by_role("tab", name="All locales").click()
    expect(page.locator(".sides iframe")).to_have_count(4)


def _now(page: Page, site: Site) -> None:
    asked = basic(*LOGIN)
    until(lambda: len(site.get("/api/v1/figures", asked).json["points"]) >= 3)
    _at("/now", "main h1")(page, site)


def _queue(page: Page, site: Site) -> None:
    until(lambda: site.get("/api/v1/status", basic(*LOGIN)).json["troubles"])
    _at("/queue", "main h1")(page, site)
    expect(page.locator("main")).to_contain_text("enied")


@dataclass(frozen=True, slots=True)
class Scene:
    """A view, on the relay of that name; `kept`: the windows that are compared."""

    name: str
    relay: str
    go: Go
    kept: tuple[str, ...] = ()


BOTH = ("wide-light", "phone-dark")
SCENES = (
    Scene("empty", "empty", _at("/mails", ".lesson"), BOTH),
    Scene("now-empty", "empty", _at("/now", "text=No mail comes"), BOTH),
    Scene("no-queue", "empty", _at("/queue", ".lesson")),
    Scene(
        "mails",
        "captured",
        _at("/mails", ".unclaimed summary"),
        ("wide-light", "wide-dark", "middle-light", "phone-light"),
    ),
    Scene("none", "captured", _at("/mails?q=nobody", ".lesson"), ("wide-dark",)),
    Scene(
        "mail",
        "captured",
        _mail("Your sign-in code: 271828"),
        ("wide-light", "wide-dark", "phone-light"),
    ),
    Scene("refused", "captured", _mail("Throttled"), ("phone-dark",)),
    Scene("hostile", "captured", _mail("<script>")),
    Scene("long", "captured", _mail(LONG[:30]), ("phone-light",)),
    Scene("right-to-left", "captured", _mail(RIGHT_TO_LEFT)),
    Scene("rule", "captured", _mail(ORDER, "/rule", ".maker .verdict.good"), BOTH),
    Scene(
        "templates",
        "captured",
        _at("/templates/SignIn", "iframe.frame"),
        ("wide-light", "middle-dark", "phone-light"),
    ),
    Scene("locales", "captured", _locales),
    Scene("now", "outage", _now),
    Scene("keys", "captured", _keys, ("wide-dark",)),
    Scene(
        "leave",
        "captured",
        _at(f"/leave?to={quote(LINK, safe='')}", "h1"),
        ("phone-light",),
    ),
    Scene(
        "problems", "flawed", _at("/templates/SignIn", ".problems li"), ("wide-light",)
    ),
    Scene("sending", "outage", _at("/mails", ".list a"), ("wide-light",)),
    Scene("queue", "outage", _queue, ("wide-light", "wide-dark", "phone-light")),
    Scene("queue-empty", "bare", _at("/queue", ".lesson"), ("wide-light",)),
    Scene("no-template", "bare", _at("/templates", ".lesson"), ("wide-light",)),
    Scene("gone", "leaving", _gone, ("wide-light",)),
)
