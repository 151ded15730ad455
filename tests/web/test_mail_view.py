"""One mail on the page, in a real Chromium: copied, looked at, measured, deleted."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server.relay_process import WAIT, until
from tests.server.test_life import through
from tests.web.browser import faultless
from tests.web.site import TEMPLATE, Site, fake_ses, mail, sending_site, templated
from tests.web.test_one_mail import PNG, newest, with_files
from tests.web.test_page import elsewhere

expect.set_options(timeout=WAIT * 1000)
SIGN_IN = "https://login.acme.example/callback?token=abc&next=%2Fhome"


def with_html(html: str, text: str = "hello\n") -> EmailMessage:
    message = mail(subject="Made of HTML", text=text)
    message.add_alternative(html, subtype="html")
    return message


def opened(page: Page, site: Site, message: EmailMessage, query: str = "") -> str:
    """Send a mail and open it: its id."""
    with smtplib.SMTP("127.0.0.1", site.relay.port(), timeout=WAIT) as client:
        client.send_message(message)
    one = newest(site)
    page.goto(f"{site.url}/mails/{one}{query}")
    expect(page.locator(".story")).to_be_visible()
    return one


def height(page: Page) -> int:
    """Of the preview, in pixels."""
    box = page.locator("iframe.frame").first.bounding_box()
    assert box is not None
    return round(box["height"])


def pasted(page: Page) -> str:
    """What the clipboard has, as a person gets it."""
    field = page.locator("input[type=search]")
    field.fill("")
    field.focus()
    page.keyboard.press("Control+V")
    return field.input_value()


def test_code_and_links_are_chips_that_copy(page: Page, site: Site) -> None:
    html = f"<p>Your code is 271828</p><a href='{SIGN_IN.replace('&', '&amp;')}'>in</a>"
    html += "".join(f"<a href='https://acme.example/{n}'>{n}</a>" for n in range(4))
    opened(page, site, with_html(html, "Your code is 271828\n"))
    chips = page.get_by_role("group", name="Code and links")
    expect(chips).to_contain_text("and 2 more in Text")
    chips.get_by_role("button", name="271828").click()
    expect(chips.get_by_text("Copied")).to_be_attached()
    assert pasted(page) == "271828"
    chips.get_by_role("button", name="login.acme.example").click()
    until(lambda: pasted(page) == SIGN_IN)
    with page.expect_popup() as popup:
        chips.get_by_role("link", name="Open it").first.click()
    tab = popup.value
    expect(tab.get_by_role("heading")).to_contain_text("https://login.acme.example")
    assert tab.evaluate("() => window.opener") is None
    tab.close()
    faultless(page)


def test_files_are_looked_at_and_downloaded(page: Page, site: Site) -> None:
    script = "<script>document.title = 'pwned'</script>"
    one = opened(
        page,
        site,
        with_files(
            ("dot.png", "image/png", PNG),
            ("<b>notes</b>.txt", "text/plain", script.encode()),
            ("paper.pdf", "application/pdf", b"%PDF-1.4"),
            ("fake.png", "image/png", script.encode()),
        ),
    )
    files = page.get_by_role("region", name="Attachments").locator(".file")
    expect(files).to_have_count(4)
    expect(files.nth(0)).to_contain_text("image/png, 70 B")
    files.nth(0).locator("summary").click()
    picture = files.nth(0).get_by_alt_text("What dot.png shows")
    expect(picture).to_be_visible()
    until(lambda: bool(picture.evaluate("one => one.naturalWidth")))
    files.nth(1).locator("summary").click()
    expect(files.nth(1).locator("pre")).to_have_text(script)
    expect(files.nth(1)).to_contain_text("<b>notes</b>.txt")
    expect(files.nth(2).locator("summary")).to_have_count(0)
    with page.expect_download() as download:
        files.nth(2).get_by_role("link").click()
    assert download.value.suggested_filename == "paper.pdf"
    assert download.value.path().read_bytes() == b"%PDF-1.4"
    # What says that it is an image is one, or nothing, in a tab of its own too.
    page.goto(f"{site.url}/view/{one}/attachments/4")
    assert page.title() != "pwned"
    assert page.evaluate("() => self.origin") == "null"
    page.goto(f"{site.url}/view/{one}/attachments/2")
    expect(page.locator("body")).to_have_text(script)
    assert "pwned" not in page.title()


def test_an_image_of_the_mail_is_in_its_preview(page: Page, site: Site) -> None:
    message = with_html("<img id=logo src='cid:logo@acme'>")
    html = list(message.iter_parts())[1]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<logo@acme>")
    opened(page, site, message)
    logo = page.frame_locator("iframe.frame").locator("#logo")
    until(lambda: logo.evaluate("one => one.naturalWidth") == 1)
    expect(page.get_by_role("region", name="Attachments")).to_have_count(0)


def test_a_preview_is_as_tall_as_its_mail(page: Page, site: Site) -> None:
    tall = "<!doctype html><body style='margin:0'><div style='height:1234px'>x</div>"
    opened(page, site, with_html(tall))
    until(lambda: height(page) == 1236)
    # Of no doctype, and of one that wants all the window has.
    opened(page, site, with_html("<body style='margin:0'><div style='height:700px'>"))
    until(lambda: height(page) == 702)
    full = "<!doctype html><body style='margin:0;height:100vh'><p id=end>x</p>"
    opened(page, site, with_html(full))
    until(lambda: height(page) == 60)
    # What opens in it, and what wraps at another width, is measured anew.
    more = "<!doctype html><details><summary>more</summary><div style='height:900px'>"
    opened(page, site, with_html(more))
    page.frame_locator("iframe.frame").locator("summary").click()
    until(lambda: height(page) > 900)
    words = "<!doctype html><body>" + "many words that wrap " * 300
    opened(page, site, with_html(words))
    until(lambda: height(page) > 200)
    wide = height(page)
    page.get_by_role("button", name="Phone").click()
    until(lambda: height(page) > wide * 1.3)
    page.get_by_role("button", name="Desktop").click()
    until(lambda: height(page) == wide)


def test_light_and_dark_are_what_the_mail_is_told(page: Page, site: Site) -> None:
    html = """<!doctype html><style>:root { color-scheme: light dark }
    p { color: rgb(1, 1, 1) }
    @media (prefers-color-scheme: dark) { p { color: rgb(2, 2, 2) } }
    </style><p id=one>x</p><p id=two style="color: light-dark(red, lime)">y</p>"""
    opened(page, site, with_html(html))
    inside = page.frame_locator("iframe.frame")

    def colours() -> list[str]:
        return [
            inside.locator(name).evaluate("one => getComputedStyle(one).color")
            for name in ("#one", "#two")
        ]

    page.get_by_role("button", name="Dark", exact=True).click()
    until(lambda: colours() == ["rgb(2, 2, 2)", "rgb(0, 255, 0)"])
    page.get_by_role("button", name="Light", exact=True).click()
    until(lambda: colours() == ["rgb(1, 1, 1)", "rgb(255, 0, 0)"])


def test_text_and_what_the_client_wrote_stand_beside_the_mail(
    page: Page, site: Site
) -> None:
    message = templated("271828")
    message.add_alternative("<p id=old>What the app wrote</p>", subtype="html")
    one = opened(page, site, message)
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page.locator(".other pre")).to_contain_text("271828")
    page.get_by_role("button", name="Original").click()
    expect(page.locator(".other")).to_contain_text("As its client wrote it")
    old = page.frame_locator(".other iframe").locator("#old")
    expect(old).to_have_text("What the app wrote")
    expect(page.locator(".other pre")).to_have_count(0)
    page.get_by_role("button", name="Phone").click()
    widths = page.locator("iframe.frame").evaluate_all(
        "all => all.map((one) => one.clientWidth)"
    )
    assert len(widths) == 2
    assert max(widths) <= 375
    faultless(page)
    page.get_by_role("button", name="Alone").click()
    expect(page.locator("iframe.frame")).to_have_count(1)
    page.goto("about:blank")
    site.submit(mail())
    page.goto(f"{site.url}/mails/{newest(site)}")
    expect(page.get_by_role("tab", name="Raw")).to_be_visible()
    expect(page.get_by_role("button", name="Original")).to_have_count(0)
    assert one != newest(site)


def test_sources_are_coloured_and_are_text_alone(page: Page, site: Site) -> None:
    html = (
        "<!-- <b>a note</b> --><p class='lead' hidden>1 < 2</p>"
        "<script>document.title = 'pwned'</script><img src=x onerror=alert(1) alt='"
    )
    opened(page, site, with_html(html), "?tab=HTML")
    source = page.locator("pre.source")
    expect(source).to_have_text(html)
    kinds = source.locator("span").evaluate_all(
        "all => all.map((one) => [one.className, one.textContent])"
    )
    assert kinds[:6] == [
        ["in-note", "<!-- <b>a note</b> -->"],
        ["in-tag", "<p"],
        ["in-name", "class"],
        ["in-value", "'lead'"],
        ["in-name", "hidden"],
        ["in-tag", ">"],
    ]
    faultless(page)
    page.get_by_role("tab", name="Raw").click()
    expect(source).to_contain_text("Subject: Made of HTML")
    names = source.locator(".in-name").all_text_contents()
    assert {"From:", "Subject:", "Content-Type:"} <= set(names)
    expect(source.locator(".in-note").first).to_contain_text("--====")
    assert "pwned" not in page.title()
    faultless(page)


# Each would take a coloring that goes back and forth for ever.
@pytest.mark.parametrize(
    "unit", ["<!--", "<a ", "<a b='", '"<a=', "<", "<a b=c>", "</", "--x\n", "\n"]
)
def test_a_mail_of_five_megabytes_shows_its_beginning(
    page: Page, site: Site, unit: str
) -> None:
    html = "<p>top</p>" + unit * (5_000_000 // len(unit))
    opened(page, site, with_html(html), "?tab=HTML")
    expect(page.get_by_role("tabpanel")).to_contain_text("The first 100.0 kB of 5.0 MB")
    size = page.locator("pre.source").evaluate("one => one.textContent.length")
    assert 90_000 < size <= 100_000
    page.get_by_role("tab", name="Raw").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("The first 100.0 kB of")
    expect(page.locator("pre.source")).to_contain_text("Subject: Made of HTML")


def test_newer_older_and_delete_are_at_hand(page: Page, site: Site) -> None:
    for name in ("one", "two", "three", "four"):
        site.submit(mail(f"{name}@example.com", f"Mail {name}"))
    page.goto(site.url)
    page.locator(".list a", has_text="Mail three").click()
    title = page.locator(".head h1")
    expect(title).to_have_text("Mail three")
    older = page.get_by_role("button", name="Older mail")
    newer = page.get_by_role("button", name="Newer mail")
    older.click()
    expect(title).to_have_text("Mail two")
    expect(older).to_be_focused()  # it can be pressed again
    older.click()
    expect(title).to_have_text("Mail one")
    expect(older).to_be_disabled()
    newer.click()
    expect(title).to_have_text("Mail two")
    page.keyboard.press("k")
    expect(title).to_have_text("Mail three")
    page.keyboard.press("#")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Mail three is forgotten, with its story.")
    faultless(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".list li")).to_have_count(4)
    page.get_by_role("button", name="Delete this mail").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(title).to_have_text("Mail two")  # the next one, as in a mail program
    expect(page.locator(".list li")).to_have_count(3)
    expect(page.locator(".list")).not_to_contain_text("Mail three")
    page.go_back()
    expect(page.locator(".list li")).to_have_count(3)
    expect(page.locator(".detail")).to_be_empty()


def test_a_narrow_window_goes_from_mail_to_mail(browser: Browser, site: Site) -> None:
    for name in ("one", "two"):
        site.submit(mail(f"{name}@example.com", f"Mail {name}"))
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(site.url)
    page.locator(".list a").first.click()
    page.get_by_role("button", name="Older mail").click()
    expect(page.locator(".head h1")).to_have_text("Mail one")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="All mails").click()
    expect(page.locator(".list li")).to_have_count(2)
    # Not all tabs fit: the one that an address opens is brought in.
    page.goto(f"{site.url}/mails/{newest(site)}?tab=Checks")
    expect(page.get_by_role("tab", name="Checks")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("tab", name="Text")).not_to_be_in_viewport(ratio=1)
    context.close()


# Each would tell the page's keys, its height or its origin to somebody, if it could.
MEASURED = """
<script>parent.document.title = 'pwned'</script>
<img src=x onerror="parent.document.title='pwned'">
<body onload="parent.document.title='pwned'" onresize="parent.document.title='pwned'">
<svg><animate onbegin="parent.document.title='pwned'" attributeName=x dur=1s></svg>
<details open ontoggle="parent.document.title='pwned'"><summary>x</summary></details>
<a href="javascript:parent.document.title='pwned'" id=press>press</a>
<a href="data:text/html,<script>opener.document.title=1</script>" id=press>x</a>
<form action="javascript:parent.document.title='pwned'"><button id=press></form>
<form action=/api/v1/mails method=post><button id=press>x</button></form>
<iframe src="/mails" srcdoc="<script>top.document.title='pwned'</script>"></iframe>
<object data="/mails"></object><embed src="/api/v1/mails">
<base href="/api/v1/"><link rel=stylesheet href="/assets/base.css">
<meta http-equiv=refresh content="0;url=/queue">
<style>@import "/api/v1/mails"; #seen {background: url(/api/v1/wait)}</style>
<img src="/api/v1/wait?timeout=30"><img srcset="/api/v1/events 2x">
<div style="position:fixed;inset:0;height:99999999px;background:url(/view/x)">x</div>
<math href="javascript:parent.document.title='pwned'" id=press>x</math>
"""


def test_a_hostile_mail_that_is_measured_runs_nothing_and_asks_nothing(
    page: Page, site: Site
) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog}"))
    asked: list[str] = []
    # What a policy stops is asked of nobody, and has no answer.
    page.on("response", lambda one: asked.append(one.url))
    with elsewhere() as (away, connections):
        for html in MEASURED.strip().splitlines():
            page.goto("about:blank")
            asked.clear()
            one = opened(page, site, with_html(f"<p id=seen>seen</p>{html}{away}"))
            inside = page.frame_locator("iframe.frame")
            expect(inside.locator("#seen")).to_be_visible()
            if "press" in html:
                for each in inside.locator("#press").all():
                    each.click(force=True)
            until(lambda: 60 <= height(page) <= 30_000)
            frame = page.locator("iframe.frame")
            sandbox = frame.get_attribute("sandbox") or ""
            assert "allow-scripts" not in sandbox
            assert "allow-forms" not in sandbox
            assert "allow-top-navigation" not in sandbox
            expect(page.locator(".head h1")).to_have_text("Made of HTML")
            assert "pwned" not in page.title(), html
            loaded = [url.removeprefix(site.url) for url in asked]
            mine = [url for url in loaded if url.startswith(("/view/", "/api/"))]
            known = ("/api/v1/status", "/api/v1/events", "/api/v1/unclaimed")
            assert [
                url
                for url in mine
                if not url.startswith((f"/view/{one}?", *known))
                and not url.startswith(("/api/v1/mails?", f"/api/v1/mails/{one}"))
            ] == [], html
        assert connections == []


def test_remote_images_of_a_mail_cannot_ask_the_relay(page: Page, site: Site) -> None:
    held = f"{site.url}/api/v1/wait?timeout=30"
    opened(page, site, with_html(f"<p id=seen>x</p><img src='{held}'>"))
    with page.expect_response(lambda one: "/api/v1/wait" in one.url) as found:
        page.get_by_role("button", name="Load remote content").click()
    assert found.value.status == 403


def test_keys_go_on_to_work_after_a_click_in_the_mail(page: Page, site: Site) -> None:
    site.submit(mail(subject="The older one"))
    opened(page, site, with_html("<p id=seen>x</p><input id=typed>"))
    expect(page.locator(".list li")).to_have_count(2)
    inside = page.frame_locator("iframe.frame")
    inside.locator("#typed").fill("")
    inside.locator("#typed").press("j")
    expect(inside.locator("#typed")).to_have_value("j")
    expect(page.locator(".head h1")).to_have_text("Made of HTML")
    inside.locator("#seen").click()
    page.keyboard.press("j")
    expect(page.locator(".head h1")).to_have_text("The older one")


def test_what_is_not_kept_is_a_gap_with_a_name(page: Page) -> None:
    with fake_ses() as ses:
        settings = through(ses, RELAY_TEMPLATES=TEMPLATE)
        with sending_site(settings) as site:
            site.submit(templated("314159"))
            page.goto(f"{site.url}/mails/{newest(site)}")
            title = page.locator(".head h1")
            expect(title).to_have_text("Your code is code")
            gap = title.locator(".gap")
            expect(gap).to_have_text("code")
            said = gap.get_attribute("title") or ""
            assert said == "The value of code is not kept where mail is sent"
            assert page.title() == "Your code is ‹code› – ses-relay"
            expect(page.get_by_text("Contents are not kept")).to_be_visible()
            expect(page.get_by_role("group", name="Code and links")).to_have_count(0)
            expect(page.get_by_role("button", name="Delete this mail")).to_be_hidden()
            faultless(page)
            site.submit(mail())
            page.goto(f"{site.url}/mails/{newest(site)}")
            expect(title).to_have_text("A mail whose subject is not kept")
