"""A mail's HTML as a frame may show it: what is known to be harmless, written anew.

Taken apart and written in one form, in which each < begins a tag of ours: what a filter
leaves out cannot come together anew. Elements, attributes and schemes that are not
named here do not come through; so nothing connects before a policy is asked, as
`<link rel=preconnect>` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

from relay.content.html_tags import Tag, attributes, referenced, tokens

MAX_SHOWN = 5_000_000  # characters of the HTML


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTS = _names(
    """
    a abbr acronym address area article aside b bdi bdo big blockquote body br button
    caption center cite code col colgroup dd del details dfn dir div dl dt em fieldset
    figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i img input
    ins kbd label legend li main map mark menu nav ol p picture pre q rp rt ruby s samp
    section small source span strike strong style sub summary sup table tbody td tfoot
    th thead time tr tt u ul var wbr
    """
)
# What is in these is not for readers, or no HTML; else the content stays.
_WITH_CONTENT = _names(
    "iframe math noembed noframes script select svg template textarea title xmp"
)
_VOID = _names("area br col hr img input source wbr")
_ATTRIBUTES = _names(
    """
    abbr align alink alt axis bgcolor border bordercolor cellpadding cellspacing checked
    cite class clear color cols colspan compact coords datetime dir disabled face frame
    headers height hidden hspace id itemprop itemscope itemtype lang leftmargin link
    marginheight marginwidth media name noshade nowrap open placeholder readonly rel
    reversed role rows rowspan rules scope shape size sizes span start summary tabindex
    target text title topmargin type usemap valign value vlink vspace width
    """
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LOADED = {
    "src": frozenset({"img", "source"}),
    "srcset": frozenset({"img", "source"}),
    "background": frozenset({"body", "table", "tbody", "thead", "tfoot", "tr", "td"})
    | {"th"},
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):")
_LINKS = frozenset({"http", "https", "mailto", "tel"})
_IMAGES = frozenset({"http", "https", "data", "cid"})
_AROUND = "".join(map(chr, range(0x21)))
_INSIDE = dict.fromkeys(map(ord, "\t\n\r"))

_DOCTYPE = re.compile(r"\s{0,100}+<!doctype[^<>]{0,300}+>", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_CSS_ELSEWHERE = re.compile(
    r"""(?:\burl\(\s*+["']?+|@import\s*+["'])\s*+(?>(?:https?:)?)//""", re.IGNORECASE
)
_CSS_CID = re.compile(r"""\bcid:([^\s"'()<>]{1,500}+)""", re.IGNORECASE)

Image = Callable[[str], str | None]  # by its Content-ID, a data URL


@dataclass(frozen=True, slots=True)
class Shown:
    """`remote`: how many places would fetch something, if the policy let them."""

    html: str
    remote: int


def safe(html: str, image: Image) -> Shown:
    """Write the harmless part of `html`, the images of the mail in their places."""
    writer = _Writer(image)
    html = html[:MAX_SHOWN]
    doctype = _DOCTYPE.match(html)
    if doctype is not None:  # it decides how a browser measures
        writer.out.write(doctype[0])
    for token in tokens(html):
        if isinstance(token, str):
            writer.text(token)
        elif token.closing:
            writer.close(token)
        elif token.whole:
            writer.open(token)
    return Shown(writer.out.getvalue(), writer.remote)


class _Writer:
    def __init__(self, image: Image) -> None:
        self.out = StringIO()
        self.remote = 0
        self._image = image
        self._skipped = ""  # the element that is being skipped, and its depth
        self._depth = 0
        self._style = False  # the next text is a style's

    def text(self, text: str) -> None:
        if self._style:
            self.out.write(self._css(text))
        elif not self._skipped:
            self.out.write(text.replace("<", "&lt;"))

    def open(self, tag: Tag) -> None:
        name = tag.name
        if self._skipped:
            self._depth += name == self._skipped and not tag.closes_itself
            return
        if name in _WITH_CONTENT:
            if not tag.closes_itself:
                self._skipped, self._depth = name, 1
            return
        # A style that closes itself would not do so for a browser.
        if name not in _ELEMENTS or (name == "style" and tag.closes_itself):
            return
        self._style = name == "style"
        self.out.write(f"<{name}")
        for attribute in attributes(tag.source):
            value = self._value(name, attribute.name.lower(), attribute.value)
            if value is None:
                continue
            self.out.write(f" {attribute.name}")
            if value or attribute.quote:
                self.out.write(f'="{_quoted(value)}"')
        slash = " /" if tag.source.endswith(" /") else "/"
        closes = name in _VOID and tag.closes_itself
        self.out.write(f"{slash}>" if closes else ">")

    def close(self, tag: Tag) -> None:
        if self._skipped:
            if tag.name == self._skipped:
                self._depth -= 1
                if not self._depth:
                    self._skipped = ""
        elif tag.name == "style":
            if self._style:
                self._style = False
                self.out.write("</style>")
        elif tag.name in _ELEMENTS and tag.name not in _VOID:
            self.out.write(f"</{tag.name}>")

    def _value(self, element: str, name: str, value: str) -> str | None:
        """What an attribute may say, references still in it; None: it goes."""
        if not _NAME.fullmatch(name):
            return None
        if name in _ATTRIBUTES or name.startswith(("data-", "aria-")):
            return value
        if name == "style":
            return self._css(referenced(value)).replace("&", "&amp;")
        if name == "href":
            allowed = element in ("a", "area") and _scheme(value) in ("", *_LINKS)
            return value if allowed else None
        if element not in _LOADED.get(name, ()):
            return None
        return self._loaded(name, value)

    def _loaded(self, name: str, value: str) -> str | None:
        scheme = _scheme(value)
        if scheme not in ("", *_IMAGES):
            return None
        address = referenced(value).strip(_AROUND)
        if scheme == "cid":
            return self._image(address[len("cid:") :]) or value
        found = _ELSEWHERE.search if name == "srcset" else _ELSEWHERE.match
        self.remote += found(address) is not None
        return value

    def _css(self, css: str) -> str:
        self.remote += len(_CSS_ELSEWHERE.findall(css))
        return _CSS_CID.sub(lambda match: self._image(match[1]) or match[0], css)


def _scheme(value: str) -> str:
    """The scheme of a URL as a browser reads it, "" where it has none."""
    found = _SCHEME.match(referenced(value).lstrip(_AROUND).translate(_INSIDE))
    return found[1].lower() if found else ""


def _quoted(value: str) -> str:
    return value.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
