"""Debian's Chromium and axe-core, for tests of the page."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.server.tools import NODE_MODULES

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Without these it looks for hosts of its maker at every start.
LAUNCH: dict[str, Any] = {
    "executable_path": CHROMIUM,
    "args": [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ],
}


def need_chromium() -> None:
    """Skip the test where there is no Chromium."""
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed: apt-get install -y chromium")


def need_axe() -> str:
    """The text of axe-core, or the test is skipped."""
    script = NODE_MODULES / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("axe-core is missing: npm install --prefix .venv/node axe-core")
    return script.read_text("utf-8")


def faultless(page: Page) -> None:
    """axe-core finds nothing serious in what is shown."""
    # Playwright adds no script where the policy forbids it, so axe goes in by hand.
    page.evaluate(need_axe())
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run(document, {iframes: false})).violations"
    )
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    said = [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:3])
        for one in serious
    ]
    assert said == [], said
