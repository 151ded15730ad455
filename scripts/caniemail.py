"""Make relay/templates/caniemail.json of caniemail's data, for the lint of templates.

`.venv/bin/python scripts/caniemail.py CHECKOUT`, a clone of hteumeuleu/caniemail (MIT).

Only what the lint says is kept: of the programs that most people read mail with, which
do not take a thing at all. And only things whose loss a reader notices: corners that
are not round, a shadow or a font that is missing break no mail, so they are not here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MADE = ROOT / "relay" / "templates" / "caniemail.json"
LICENSE = ROOT / "relay" / "templates" / "caniemail-license.txt"

# A program is several things on several systems; where one of them fails, it fails.
PROGRAMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Outlook for Windows": (("outlook", "windows"),),
    "Outlook.com": (("outlook", "outlook-com"),),
    "Gmail": (("gmail", "desktop-webmail"), ("gmail", "ios"), ("gmail", "android")),
    "Apple Mail": (("apple-mail", "macos"), ("apple-mail", "ios")),
    "Yahoo Mail": (
        ("yahoo", "desktop-webmail"),
        ("yahoo", "ios"),
        ("yahoo", "android"),
    ),
}

# A page of caniemail -> what of it the lint looks for, by where it stands.
PROPERTIES: Mapping[str, str] = {
    "css-align-items": "align-items",
    "css-aspect-ratio": "aspect-ratio",
    "css-background-blend-mode": "background-blend-mode",
    "css-background-image": "background-image",
    "css-block-inline-size": "block-size inline-size",
    "css-clip-path": "clip-path",
    "css-column-count": "column-count",
    "css-column-layout-properties": "columns column-width column-span",
    "css-filter": "filter",
    "css-flex-direction": "flex-direction",
    "css-flex-wrap": "flex-wrap",
    "css-float": "float",
    "css-gap": "gap column-gap row-gap",
    "css-grid-template": "grid-template grid-template-columns grid-template-rows "
    "grid-template-areas",
    "css-justify-content": "justify-content",
    "css-list-style-image": "list-style-image",
    "css-margin-block-start-end": "margin-block-start margin-block-end",
    "css-margin-inline-block": "margin-inline margin-block",
    "css-margin-inline-start-end": "margin-inline-start margin-inline-end",
    "css-mask-image": "mask-image",
    "css-mix-blend-mode": "mix-blend-mode",
    "css-object-fit": "object-fit",
    "css-padding-block-start-end": "padding-block-start padding-block-end",
    "css-padding-inline-block": "padding-inline padding-block",
    "css-padding-inline-start-end": "padding-inline-start padding-inline-end",
    "css-position": "position",
    "css-shape-outside": "shape-outside",
    "css-transform": "transform",
    "css-writing-mode": "writing-mode",
}
VALUES: Mapping[str, str] = {  # of `display`
    "css-display-flex": "flex inline-flex",
    "css-display-grid": "grid inline-grid",
}
FUNCTIONS: Mapping[str, str] = {
    "css-conic-gradient": "conic-gradient",
    "css-function-clamp": "clamp",
    "css-function-light-dark": "light-dark",
    "css-function-max": "max",
    "css-function-min": "min",
    "css-linear-gradient": "linear-gradient",
    "css-modern-color": "lch oklch lab oklab",
    "css-radial-gradient": "radial-gradient",
    "css-unit-calc": "calc",
    "css-variables": "var",
}
UNITS: Mapping[str, str] = {
    "css-unit-ch": "ch",
    "css-unit-rem": "rem",
    "css-unit-vh": "vh",
    "css-unit-vmax": "vmax",
    "css-unit-vmin": "vmin",
    "css-unit-vw": "vw",
}
SELECTORS: Mapping[str, str] = {
    "css-pseudo-class-checked": ":checked",
    "css-pseudo-class-first-child": ":first-child",
    "css-pseudo-class-first-of-type": ":first-of-type",
    "css-pseudo-class-has": ":has",
    "css-pseudo-class-last-child": ":last-child",
    "css-pseudo-class-last-of-type": ":last-of-type",
    "css-pseudo-class-not": ":not",
    "css-pseudo-class-nth-child": ":nth-child",
    "css-pseudo-class-nth-last-child": ":nth-last-child",
    "css-pseudo-class-nth-of-type": ":nth-of-type",
    "css-pseudo-class-only-child": ":only-child",
    "css-pseudo-element-after": "::after",
    "css-pseudo-element-before": "::before",
}
AT_RULES: Mapping[str, str] = {"css-at-import": "import"}
# Who does not take one of these does not see what is inside it.
AROUND: Mapping[str, str] = {
    "css-at-media": "media",
    "css-at-media-prefers-color-scheme": "prefers-color-scheme",
    "css-at-supports": "supports",
}
ELEMENTS: Mapping[str, str] = {
    "html-audio": "audio",
    "html-dialog": "dialog",
    "html-form": "form",
    "html-input-text": "input",
    "html-link": "link",
    "html-meter": "meter",
    "html-object": "object",
    "html-progress": "progress",
    "html-select": "select",
    "html-svg": "svg",
    "html-textarea": "textarea",
    "html-video": "video",
}
ATTRIBUTES: Mapping[str, str] = {"html-hidden": "hidden", "html-popover": "popover"}
IMAGES: Mapping[str, str] = {  # by the ending of their addresses; data: is any
    "image-avif": ".avif",
    "image-base64": "data:",
    "image-heif": ".heif .heic",
    "image-ico": ".ico",
    "image-mp4": ".mp4",
    "image-svg": ".svg",
    "image-tiff": ".tiff .tif",
    "image-webp": ".webp",
}
PLACES = {
    "properties": PROPERTIES,
    "display": VALUES,
    "functions": FUNCTIONS,
    "units": UNITS,
    "selectors": SELECTORS,
    "atRules": AT_RULES,
    "around": AROUND,
    "elements": ELEMENTS,
    "attributes": ATTRIBUTES,
    "images": IMAGES,
}

_STATS = re.compile(r"^stats:\s*(\{.*?^\})", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"([\s{,])([A-Za-z][\w-]*)\s*:")
_LAST_COMMA = re.compile(r",(\s*\})")


def made(checkout: Path) -> dict[str, Any]:
    """What the lint needs of the data in `checkout`."""
    table: dict[str, Any] = {
        "source": "https://www.caniemail.com/ by Rémi Parmentier and contributors",
        "license": "MIT, see caniemail-license.txt",
        "date": git(checkout, "log", "-1", "--format=%cs"),
        "commit": git(checkout, "rev-parse", "HEAD"),
        "programs": list(PROGRAMS),
    }
    for place, pages in PLACES.items():
        table[place] = dict(sorted(_fails(checkout, pages)))
    return table


def _fails(checkout: Path, pages: Mapping[str, str]) -> Iterator[tuple[str, list[int]]]:
    """Each thing with the numbers of the programs that do not take it."""
    for page, things in pages.items():
        stats = _stats(checkout / "_features" / f"{page}.md")
        failing = [
            number
            for number, parts in enumerate(PROGRAMS.values())
            if any(_last(stats, *part) == "n" for part in parts)
        ]
        if failing:
            yield from ((thing, failing) for thing in things.split())


def _stats(page: Path) -> dict[str, Any]:
    """A page's figures: nearly JSON, but for keys without quotes and last commas."""
    found = _STATS.search(page.read_text("utf-8"))
    if found is None:
        raise SystemExit(f"{page}: has no stats; is it a page of caniemail?")
    text = _LAST_COMMA.sub(r"\1", _KEY.sub(r'\1"\2":', found[1]))
    stats: dict[str, Any] = json.loads(text)
    return stats


def _last(stats: Mapping[str, Any], family: str, platform: str) -> str:
    """y, n, a (partly) or u (unknown) of the newest version that was tried."""
    versions = list(stats.get(family, {}).get(platform, {}).values())
    return versions[-1].split()[0] if versions else "u"


def git(checkout: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - these words are ours
        ["git", "-C", checkout, *words],  # noqa: S607 - wherever git is
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit("usage: scripts/caniemail.py CHECKOUT of hteumeuleu/caniemail")
    checkout = Path(arguments[0])
    table = made(checkout)
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
    )
    MADE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    LICENSE.write_bytes((checkout / "LICENSE").read_bytes())
    print(f"{MADE.name}: data of {table['date']}, {MADE.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
