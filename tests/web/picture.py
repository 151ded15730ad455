"""Pictures of the page that are the same on every machine, and how they are compared.

Half as large as the page, so that they are small. The words have a font that is kept
beside them, and what differs from run to run is written over (`settled.js`); what is
left to another machine is how Chromium draws, and squares of 16 pixels take that in.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.server.relay_process import WAIT
from tests.web.browser import LAUNCH

HERE = Path(__file__).parent
KEPT = HERE / "pictures"
SIZES = {"phone": (360, 740), "middle": (768, 900), "wide": (1440, 900)}
SCALE = 0.5
SQUARE = 8  # pixels of a picture, 16 of the page
# Of 255, by how much the mean of a square may differ: one may not by LONE (a lost icon,
# a moved column), and MANY may not by FAINT (another shade). What another way to smooth
# or hint letters does stays below 1 (`test_looks.py`).
LONE, MANY, FAINT = 10.0, 8, 4.0
# Letters are placed by their own widths, not by those of a screen's pixels.
STEADY = {**LAUNCH, "args": [*LAUNCH["args"], "--font-render-hinting=none"]}


@dataclass(frozen=True, slots=True)
class Window:
    """How the page is looked at: `wide-dark`."""

    size: str
    scheme: str

    @classmethod
    def of(cls, name: str) -> Window:
        size, _, scheme = name.partition("-")
        return cls(size, scheme)


@contextmanager
def window(
    browser: Browser,
    how: Window,
    *,
    scale: float = SCALE,
    login: tuple[str, str] | None = None,
    kept: bool = True,
) -> Iterator[Page]:
    """A window in which the page looks the same each time.

    Of what is not `kept`, mails and plots are seen as well.
    """
    more: dict[str, Any] = {}
    if login is not None:
        more["http_credentials"] = dict(
            zip(("username", "password"), login, strict=True)
        )
    width, height = SIZES[how.size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme="dark" if how.scheme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
        **more,
    )
    context.set_default_timeout(WAIT * 1000)
    font = base64.b64encode((KEPT / "inter.woff2").read_bytes()).decode()
    script = (HERE / "settled.js").read_text("utf-8").replace("{font}", font)
    context.add_init_script(
        script.replace("{hidden}", "iframe, canvas, .ages, .age-names" if kept else "")
    )
    yield context.new_page()
    context.close()


def taken(page: Page) -> bytes:
    """A picture of what is seen, once it is the same for a while."""
    page.mouse.move(0, 0)
    page.evaluate("() => document.fonts.ready")
    picture, end = b"", time.monotonic() + WAIT
    while time.monotonic() < end:
        before, picture = picture, page.screenshot(caret="hide")
        if picture == before:
            break
        page.wait_for_timeout(200)
    return picture


def differences(page: Page, before: bytes, after: bytes) -> dict[str, float]:
    """Where in the page, in its own pixels, and how much, the pictures differ.

    `page` is any: it reads the pictures.
    """
    pictures = [base64.b64encode(one).decode() for one in (before, after)]
    found: list[tuple[int, int, float]] = page.evaluate(
        (HERE / "blocks.js").read_text("utf-8"), [*pictures, SQUARE, FAINT]
    )
    if len(found) < MANY:
        found = [one for one in found if one[2] >= LONE]
    return {
        f"{round(left / SCALE)},{round(top / SCALE)}": round(how, 1)
        for left, top, how in found
    }
