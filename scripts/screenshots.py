"""Take pictures of the page, each view at three widths, light and dark.

`.venv/bin/python scripts/screenshots.py [DIRECTORY]`; needs what `make tools` installs.
With --docs only the few that the documents show are taken, into docs/images; with
--kept those that test_looks.py compares, in half their size, into tests/web/pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.web.picture import (  # noqa: E402
    KEPT,
    SCALE,
    SIZES,
    STEADY,
    Window,
    taken,
    window,
)
from tests.web.scenes import LOGIN, RELAYS, SCENES, relay  # noqa: E402

WINDOWS = tuple(f"{size}-{scheme}" for size in SIZES for scheme in ("light", "dark"))
ALL = {scene.name: WINDOWS for scene in SCENES}
IN_DOCS = {
    "mails": ("phone-light", "wide-dark"),
    "now": ("wide-dark",),
    **dict.fromkeys(
        ("mail", "rule", "templates", "locales", "queue", "empty"), ("wide-light",)
    ),
}


def main(words: list[str]) -> int:
    """Take those that are asked for."""
    names = [word for word in words if not word.startswith("--")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**STEADY)
        if "--kept" in words:
            for file in KEPT.glob("*.png"):
                file.unlink()
            kept = {scene.name: scene.kept for scene in SCENES}
            _take(browser, KEPT, "", kept, kept=True)
        if "--docs" in words:
            _take(browser, ROOT / "docs" / "images", "page-", IN_DOCS, kept=False)
        if names or not words:
            directory = Path(names[0]) if names else ROOT / "build" / "screenshots"
            _take(browser, directory, "", ALL, kept=False)
        browser.close()
    return 0


def _take(
    browser: Browser,
    directory: Path,
    prefix: str,
    wanted: Mapping[str, Sequence[str]],
    *,
    kept: bool,
) -> None:
    """Views in those windows, by name; `kept`: small, and without what differs."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in RELAYS:
        jobs = [
            (scene, how)
            for scene in SCENES
            if scene.relay == name
            for how in wanted.get(scene.name, ())
        ]
        # One that is stopped while one looks is seen by one window.
        for some in [[job] for job in jobs] if name == "leaving" else [jobs]:
            if not some:
                continue
            with relay(name) as site:
                for scene, how in some:
                    file = directory / f"{prefix}{scene.name}-{how}.png"
                    scale = SCALE if kept else 1
                    with window(
                        browser, Window.of(how), scale=scale, login=LOGIN, kept=kept
                    ) as page:
                        scene.go(page, site)
                        file.write_bytes(taken(page))
                        print(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
