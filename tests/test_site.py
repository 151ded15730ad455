"""The site of docs/ is whole: its pages, links, anchors, and nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {file.relative_to(DOCS).with_suffix("") for file in DOCS.rglob("*.md")}
FOREIGN = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
# What a style sheet loads.
LOADED = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


@dataclass
class Page(HTMLParser):
    """What of a page of HTML leads elsewhere, or is led to."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    _in_navigation: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors.add(said.get("id", ""))
        if tag == "a":
            self.links.append(said.get("href", ""))
        elif tag == "link":
            self.loaded.append(said["href"])
        elif "src" in said:
            self.loaded.append(said["src"])
        if "sidebar-tree" in said.get("class", "").split():
            self._in_navigation = True
        if self._in_navigation and tag == "a" and "href" in said:
            self.navigation.append(said["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "aside":
            self._in_navigation = False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` makes; a warning of Sphinx is an error."""
    made = tmp_path_factory.mktemp("site")
    words = ["-q", "-W", "--keep-going", "-d", str(made / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, str(DOCS), str(made / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return made / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = {}
    for file in site.rglob("*.html"):
        found[file] = Page()
        found[file].feed(file.read_text("utf-8"))
    return found


def test_every_page_is_in_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    named = {site / link for link in pages[site / "index.html"].navigation}

    made = {site / f"{page}.html" for page in PAGES} - {site / "index.html"}
    assert named == made


def test_each_link_leads_to_a_page_and_an_anchor(
    site: Path, pages: dict[Path, Page]
) -> None:
    checked = 0
    broken = []
    for file, page in pages.items():
        for link in page.links:
            if FOREIGN.match(link) or link.startswith("mailto:"):
                continue
            path, anchor = urldefrag(unquote(link))
            target = (file.parent / path).resolve() if path else file
            checked += 1
            known = pages[target].anchors if target in pages else {""}
            if not target.is_file() or anchor not in known | {""}:
                broken.append(f"{file.relative_to(site)}: {link}")
    assert broken == []
    assert checked > 1000


def test_no_page_loads_anything_from_another_host(
    site: Path, pages: dict[Path, Page]
) -> None:
    styles = {file: file.read_text("utf-8") for file in site.rglob("*.css")}
    loaded = [
        *((file, link) for file, page in pages.items() for link in page.loaded),
        *((file, link) for file, text in styles.items() for link in _loaded(text)),
    ]
    missing = [
        f"{file.relative_to(site)}: {link}"
        for file, link in loaded
        if FOREIGN.match(link)
        or (
            not link.startswith(("data:", "#"))
            and not (file.parent / link.partition("?")[0]).is_file()
        )
    ]
    assert missing == []
    assert len(loaded) > 100


def _loaded(style: str) -> Iterator[str]:
    return (one or other for one, other in LOADED.findall(style))
