"""How Sphinx makes the site of docs/: `make docs`.

The pages are Markdown that reads as well where it lies, and nothing in them is for the
site alone. index.md lists them; its headings and lists are the site's navigation.
"""

from __future__ import annotations

import re
from pathlib import Path

from pygments.lexers.html import HtmlLexer
from sphinx.application import Sphinx

from relay import __version__

project = "ses-relay"
version = release = __version__
html_title = f"ses-relay {__version__}"

extensions = ["myst_parser"]
html_theme = "furo"
# Anchors of headings are those that GitHub makes.
myst_heading_anchors = 4
highlight_language = "none"
html_copy_source = False
html_show_copyright = False
html_use_index = False  # of terms: pages have none

DOCS = Path(__file__).parent
LINK = re.compile(r"\[([^]]+)\]\(([^)#:]+)\)")
PAGE = re.compile(r"^- \[[^]]+\]\(([\w/-]+)\.md\)", re.MULTILINE)


def with_navigation(_: Sphinx, page: str, source: list[str]) -> None:
    """Say the lists of index.md again as what Sphinx makes its navigation of."""
    if page != "index":
        return
    for section in source[0].split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        pages = "\n".join(PAGE.findall(text))
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```"


def without_folders(_: Sphinx, page: str, source: list[str]) -> None:
    """Leave the words alone of links to folders, which a site has not."""
    here = (DOCS / page).parent

    def link_or_words(link: re.Match[str]) -> str:
        return link[1] if (here / link[2]).is_dir() else link[0]

    source[0] = LINK.sub(link_or_words, source[0])


def setup(app: Sphinx) -> None:
    """Sphinx calls it at its start."""
    app.connect("source-read", with_navigation)
    app.connect("source-read", without_folders)
    app.add_lexer("ftl", HtmlLexer)  # Pygments knows no FreeMarker
