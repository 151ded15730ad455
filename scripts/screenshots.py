"""Take pictures of the page, each view at three widths, light and dark.

`.venv/bin/python scripts/screenshots.py [DIRECTORY]`; needs what `make tools` installs.
With --docs the few that the documents show are put into docs/images.
"""

from __future__ import annotations

import json
import shutil
import smtplib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from relay.password import hashed  # noqa: E402
from tests.fake_ses import error  # noqa: E402
from tests.server.relay_process import until  # noqa: E402
from tests.server.test_life import through  # noqa: E402
from tests.web.browser import LAUNCH  # noqa: E402
from tests.web.site import (  # noqa: E402
    Site,
    fake_ses,
    mail,
    running_site,
    sending_site,
    templated,
)
from tests.web.test_page import HOSTILE  # noqa: E402

WIDTHS = {"phone": (360, 740), "middle": (768, 900), "wide": (1440, 900)}
IN_DOCS = (
    "mail-wide-light",
    "now-wide-dark",
    "templates-wide-light",
    "queue-wide-light",
)
IN_DOCS_TOO = ("mails-phone-light", "mails-wide-dark")
WAITS = 120
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


def main(words: list[str]) -> int:
    """Take them all."""
    names = [word for word in words if not word.startswith("--")]
    directory = Path(names[0]) if names else ROOT / "build" / "screenshots"
    directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**LAUNCH)
        _captured(browser, directory)
        _problems(browser, directory)
        _outage(browser, directory)
        browser.close()
    if "--docs" in words:
        images = ROOT / "docs" / "images"
        images.mkdir(exist_ok=True)
        for name in IN_DOCS:
            shutil.copy(directory / f"{name}.png", images / f"page-{name}.png")
    return 0


def _captured(browser: Browser, directory: Path) -> None:
    with running_site() as site:
        for page, take in _windows(browser, directory, site):
            page.goto(site.url)
            page.get_by_text("No mail yet").wait_for()
            take("empty")
        _fill(site)
        listed = site.get("/api/v1/mails").json["mails"]
        by_subject = {one["subject"]: one["id"] for one in listed}
        code = next(key for key in by_subject if key.startswith("Your sign-in"))
        hostile = next(key for key in by_subject if key.startswith("<script>"))
        long = next(key for key in by_subject if key.startswith("A subject"))
        until(lambda: len(site.get("/api/v1/figures").json["points"]) >= 3)
        for page, take in _windows(browser, directory, site):
            for name, path in (
                ("mails", "/mails"),
                ("mail", f"/mails/{by_subject[code]}"),
                ("hostile", f"/mails/{by_subject[hostile]}"),
                ("long", f"/mails/{by_subject[long]}"),
                ("rtl", f"/mails/{by_subject['שלום עולם']}"),
                ("refused", f"/mails/{by_subject['Throttled']}"),
                ("now", "/now"),
                ("templates", "/templates"),
            ):
                page.goto(site.url + path)
                page.wait_for_timeout(500)
                take(name)
        site.relay.stop()


def _problems(browser: Browser, directory: Path) -> None:
    with running_site(settings={"RELAY_TEMPLATES": PROBLEMS}) as site:
        for page, take in _windows(browser, directory, site):
            page.goto(f"{site.url}/templates/SignIn")
            page.locator(".problems li").first.wait_for()
            take("problems")


def _outage(browser: Browser, directory: Path) -> None:
    denied = error("AccessDeniedException", 403, "not authorized: ses:SendRawEmail")
    with fake_ses(*[denied] * WAITS) as ses:
        settings = through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_PACE__RATE="14",
            RELAY_TEMPLATES=json.dumps(
                [{"usageType": "SignIn", "subject": "{{code}}", "content": "{{code}}"}]
            ),
            RELAY_WEB__USER="ann",
            RELAY_WEB__PASSWORD_HASH=hashed("pass"),
        )
        with sending_site(settings) as site:
            for number in range(WAITS):
                site.submit(templated("123456", f"ann{number}@example.com"))
            for page, take in _windows(browser, directory, site, ("ann", "pass")):
                for name, path in (
                    ("queue", "/queue"),
                    ("outage", "/now"),
                    ("sending", "/mails"),
                ):
                    page.goto(site.url + path)
                    page.wait_for_timeout(700)
                    take(name)
                page.locator(".list a").first.click()
                page.locator(".story").wait_for()
                take("waiting")


def _windows(
    browser: Browser,
    directory: Path,
    site: Site,
    login: tuple[str, str] | None = None,
) -> Iterator[tuple[Page, Take]]:
    """A window of each width and scheme, and what takes a picture of it."""
    for width, (pixels, height) in WIDTHS.items():
        for scheme in ("light", "dark"):
            with _window(browser, pixels, height, scheme, login) as page:
                yield page, Take(page, directory, f"{width}-{scheme}")


@contextmanager
def _window(
    browser: Browser,
    width: int,
    height: int,
    scheme: str,
    login: tuple[str, str] | None,
) -> Iterator[Page]:
    more: Mapping[str, object] = {}
    if login is not None:
        more = {"http_credentials": {"username": login[0], "password": login[1]}}
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        **more,  # type: ignore[arg-type] # one argument or none, of its type
    )
    yield context.new_page()
    context.close()


class Take:
    """Takes a picture of a window."""

    def __init__(self, page: Page, directory: Path, suffix: str) -> None:
        self._page, self._directory, self._suffix = page, directory, suffix

    def __call__(self, name: str) -> None:
        file = self._directory / f"{name}-{self._suffix}.png"
        self._page.screenshot(path=file)
        print(file)


def _fill(site: Site) -> None:
    for number in range(40):
        site.submit(mail(f"customer{number}@example.com", f"Invoice {4700 + number}"))
    for number in range(8):
        site.submit(templated(str(481_516 + number), f"ann{number}@example.com"))
    site.submit(mail("throttle@relay.test", "Throttled"))
    site.submit(mail("reject@relay.test", "Rejected"))
    long = "A subject that does not end " * 12
    site.submit(mail(f"{'very.long' * 6}@{'long.' * 20}example", long))
    site.submit(
        mail("ann@example.com", "שלום עולם", "שלום עולם, זה טקסט מימין לשמאל.\n")
    )
    hostile = mail("ann@example.com", "<script>alert(1)</script> & <b>you</b>")
    hostile.add_alternative(
        HOSTILE.format(elsewhere="https://elsewhere.example"), subtype="html"
    )
    with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
        client.sendmail("evil@acme.example", ["ann@example.com"], bytes(hostile))
    site.submit(templated("271828", "ann@example.com"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
