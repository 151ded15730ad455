"""The page that `relay templates preview` writes, in a browser and from the disk."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server.relay_process import WAIT
from tests.server.test_life import relay_command
from tests.web.browser import faultless

SETTINGS = """\
templatesDir = "templates"

[ses]
region = "eu-west-1"
emailAddress = "Acme <noreply@acme.example>"
"""
SIGN_IN = """\
+++
subject = "Your code is {{code}}"
+++
<!doctype html>
<html><head><meta name="color-scheme" content="light dark">
<style>
body { background: #ffffff; color: #101010; }
.wide { display: none; }
@media (min-width: 500px) { .wide { display: block; } }
@media (prefers-color-scheme: dark) { body { background: #101010; color: #ffffff; } }
@media (prefers-color-scheme: light) { p { border: 0 solid #123456; } }
</style></head>
<body><p>{{code}}</p><div class="wide">Wide</div></body></html>
"""
# All that may run, load, or lead away, is tried.
HOSTILE = """\
+++
subject = "<script>document.title = 'run'</script><img src=x onerror=f()>"
+++
</iframe></pre><script>top.document.title = "run"; document.title = "run"</script>
<img src="http://127.0.0.1:PORT/a.png" onerror="document.title = 'run'" alt="">
<p style="background: url(http://127.0.0.1:PORT/b.png)" onclick="f()">{{code}}</p>
<iframe src="http://127.0.0.1:PORT/c"></iframe>
<style>@import url("http://127.0.0.1:PORT/d.css");</style>
<link rel="stylesheet" href="http://127.0.0.1:PORT/e.css">
<meta http-equiv="refresh" content="0;url=http://127.0.0.1:PORT/f">
<form action="http://127.0.0.1:PORT/g"><button>Go</button></form>
<a href="http://127.0.0.1:PORT/h" target="_top">Away</a>
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[socket.socket]:
    """Where a template's remote content would come from; nobody is to connect."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, elsewhere: socket.socket) -> Path:
    """The page of a good template in two languages, and of a hostile one."""
    directory = tmp_path_factory.mktemp("gallery")
    (directory / "config.toml").write_text(SETTINGS, "utf-8")
    templates = directory / "templates"
    templates.mkdir()
    (templates / "SignIn.html").write_text(SIGN_IN, "utf-8")
    (templates / "SignIn.fr.html").write_text(SIGN_IN, "utf-8")
    (templates / "Register.html").write_text(
        HOSTILE.replace("PORT", str(elsewhere.getsockname()[1])), "utf-8"
    )
    (templates / "Generic.txt").write_text(
        '+++\nsubject = "Code"\n+++\nYour <b>code</b>: {{code}}\n', "utf-8"
    )
    done = relay_command("templates", "preview", "out", cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")
    return directory / "out" / "index.html"


@pytest.fixture(params=["light", "dark"])
def opened(
    gallery: Path,
    browser: Browser,
    elsewhere: socket.socket,
    request: pytest.FixtureRequest,
) -> Iterator[Page]:
    """It as who prefers light or dark sees it; who asks the network fails it."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=request.param
    )
    context.set_default_timeout(WAIT * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda found: errors.append(str(found)))
    page.goto(gallery.as_uri())
    yield page
    context.close()
    assert errors == []
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_each_mail_is_shown_light_and_dark_on_phone_and_desktop(opened: Page) -> None:
    section = opened.locator("section").filter(
        has=opened.get_by_role("heading", name="SignIn default")
    )
    section.scroll_into_view_if_needed()
    expect(section).to_contain_text("Your code is 123456")
    seen = {}
    for shade in ("light", "dark"):
        for name, width in (("phone", 375), ("desktop", 640)):
            title = f"SignIn, {name}, {shade}"
            frame = section.frame_locator(f'iframe[title="{title}"]')
            body = frame.locator("body")
            expect(body).to_contain_text("123456")
            seen[name, shade] = body.evaluate(
                "(body) => [innerWidth, getComputedStyle(body).backgroundColor,"
                " getComputedStyle(document.querySelector('.wide')).display]"
            )
            assert seen[name, shade][0] == width
    white, black = "rgb(255, 255, 255)", "rgb(16, 16, 16)"
    # Whatever the viewer prefers, and as wide as it says.
    assert seen == {
        ("phone", "light"): [375, white, "none"],
        ("desktop", "light"): [640, white, "block"],
        ("phone", "dark"): [375, black, "none"],
        ("desktop", "dark"): [640, black, "block"],
    }
    section.get_by_text("Text part").click()
    expect(section.locator("pre")).to_have_text("123456\n\nWide\n")
    section.get_by_text("Variables (1)").click()
    expect(section.locator("table")).to_have_text("code123456")


def test_a_plain_text_is_shown_as_its_text(opened: Page) -> None:
    opened.locator("#Generic").scroll_into_view_if_needed()
    frame = opened.frame_locator('iframe[title="Generic, phone, dark"]')
    expect(frame.locator("pre")).to_have_text("Your <b>code</b>: 123456\n")
    expect(opened.locator("#Register")).to_contain_text(
        "it has no dark styles of its own"
    )


def test_no_template_runs_loads_or_leads_away(opened: Page, gallery: Path) -> None:
    opened.locator("#Register").scroll_into_view_if_needed()
    frame = opened.frame_locator('iframe[title="Register, desktop, light"]')
    expect(frame.get_by_text("123456")).to_be_visible()
    expect(opened.locator("#Register .subject")).to_contain_text("<script>")
    frame.get_by_text("Away").click()
    opened.wait_for_timeout(300)
    expect(opened).to_have_title("Templates")
    assert opened.url == gallery.as_uri()
    assert opened.evaluate("document.scripts.length") == 1
    # The mail's own file, opened by itself, runs and loads nothing either.
    opened.goto((gallery.parent / "mails" / "Register.light.html").as_uri())
    opened.wait_for_timeout(300)
    expect(opened.get_by_text("123456")).to_be_visible()
    assert opened.title() != "run"


def test_it_is_walked_by_keys_and_by_anchors(opened: Page, gallery: Path) -> None:
    keys = [
        one.get_attribute("id") or ""
        for one in opened.locator("section").element_handles()
    ]
    assert sorted(keys) == ["Generic", "Register", "SignIn", "SignIn.fr"]
    opened.keyboard.press("j")
    expect(opened).to_have_url(f"{gallery.as_uri()}#{keys[1]}")
    expect(opened.locator(f'[id="{keys[1]}"]')).to_be_focused()
    opened.keyboard.press("k")
    expect(opened).to_have_url(f"{gallery.as_uri()}#{keys[0]}")
    opened.goto(f"{gallery.as_uri()}#SignIn.fr")
    expect(opened.locator('[id="SignIn.fr"]')).to_be_in_viewport()
    current = opened.locator("nav a[aria-current]")
    expect(current).to_have_attribute("href", "#SignIn.fr")


def test_nothing_is_wrong_with_it_for_who_cannot_see_it(opened: Page) -> None:
    faultless(opened)
    opened.set_viewport_size({"width": 360, "height": 740})
    faultless(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
