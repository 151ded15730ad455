"""Take pictures of the samples: each usage on desktop and phone, light and dark.

`.venv/bin/python scripts/sample_pictures.py [DIRECTORY]`, by default into
docs/images/samples; needs what `make tools` installs. Each sheet has one usage, the
languages take turns, and one sheet has all four. They are set in the fonts of the
machine: those in the documents were taken with Inter, Liberation Mono, Noto Sans CJK.
"""

from __future__ import annotations

import base64
import email
import sys
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from relay.content.header import parse  # noqa: E402
from relay.model.submission import Envelope  # noqa: E402
from relay.templates.catalog import Templates  # noqa: E402
from relay.templates.samples import LANGUAGES, VARIABLES, sources  # noqa: E402
from tests.web.browser import LAUNCH  # noqa: E402

DESKTOP, PHONE = (600, 560), (360, 560)
SHEET = """<!doctype html><body style="margin:0"><main style="padding:20px;display:flex;
gap:20px;background:#8b8f98;align-items:flex-start;width:max-content">{}</main>"""
SHOT = '<img style="display:block;border-radius:10px" src="data:image/png;base64,{}">'


def main(words: list[str]) -> int:
    """Take them all."""
    directory = Path(words[0]) if words else ROOT / "docs" / "images" / "samples"
    directory.mkdir(parents=True, exist_ok=True)
    templates = Templates(sources(), email_address="noreply@acme.example")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**LAUNCH)
        for number, usage in enumerate(templates.usages):
            language = LANGUAGES[number % len(LANGUAGES)]
            html = _html(templates, usage, language)
            shots = [
                _shot(browser, html, size, scheme)
                for size in (DESKTOP, PHONE)
                for scheme in ("light", "dark")
            ]
            _sheet(browser, shots, directory / f"{usage}-{language}.png")
        shots = [
            _shot(browser, _html(templates, "SignIn", language), PHONE, scheme)
            for language, scheme in zip(
                LANGUAGES, ("light", "dark", "light", "dark"), strict=True
            )
        ]
        _sheet(browser, shots, directory / "SignIn-all.png")
        browser.close()
    return 0


def _html(templates: Templates, usage: str, language: str) -> str:
    template = templates.choose(usage, language)
    envelope = Envelope("noreply@acme.example", ("ann@example.com",))
    made = email.message_from_bytes(
        template.apply(parse(b""), envelope, VARIABLES), policy=default
    )
    assert isinstance(made, EmailMessage)  # noqa: S101 - the policy says so
    body = made.get_body(("html",))
    assert body is not None  # noqa: S101 - each has one
    return str(body.get_content())


def _shot(browser: Browser, html: str, size: tuple[int, int], scheme: str) -> str:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.set_content(html)
    taken = base64.b64encode(page.screenshot(full_page=True)).decode()
    context.close()
    return taken


def _sheet(browser: Browser, shots: list[str], file: Path) -> None:
    page = browser.new_page(viewport={"width": 2100, "height": 100})
    page.set_content(SHEET.format("".join(SHOT.format(shot) for shot in shots)))
    page.locator("main").screenshot(path=file)
    page.close()
    print(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
