"""The way out of a mail that is looked at: a link leads to where it says where it goes.

In the frame a link opens a new tab with `/leave`, which shows scheme and host before
anything is asked of them. A hostile link is shown as a browser would read it.
"""

from __future__ import annotations

import re
from html import escape
from unicodedata import normalize
from urllib.parse import quote, urlsplit

from aiohttp import web

from relay.content.html_tags import referenced

LONGEST = 8000  # characters of a link

# In HTML as `safe_html` writes it, each < begins a tag and each value is in quotes.
_LINK = re.compile(r"<(a|area)((?: [^<>]*)?)>")
_OF_A_LINK = re.compile(
    r' (?:href|target|rel|title)(?:="[^"]*")?(?= |$)', re.IGNORECASE
)
_HREF = re.compile(r' href="([^"]*)"', re.IGNORECASE)
_SCHEME = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)
_CONTROLS = "".join(map(chr, range(0x21)))


def target(link: str) -> tuple[str, str]:
    """The link as a browser reads it, and where it leads; "": nowhere from a mail."""
    link = link.strip(_CONTROLS).translate(dict.fromkeys(map(ord, "\t\r\n")))
    scheme = _SCHEME.match(link)
    if scheme is None or len(link) > LONGEST:
        return "", ""
    name, rest = scheme[1].lower(), link[scheme.end() :]
    if name in ("mailto", "tel"):
        return f"{name}:{rest}", f"{name}:{rest.partition('?')[0]}"
    # To a browser a backslash is a slash, up to the query; many of them are one.
    path, mark, query = re.split(r"([?#]|$)", rest, maxsplit=1)
    link = f"{name}://{path.replace(chr(92), '/').lstrip('/')}{mark}{query}"
    try:
        parts = urlsplit(link)
        host = _ascii(parts.hostname or "")
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # UnicodeError among them
        return "", ""
    if not host:
        return "", ""
    return link, f"{name}://{f'[{host}]' if ':' in host else host}{port}"


def _ascii(host: str) -> str:
    """A host's name without letters that look like others (UTS #46, as browsers do)."""
    if host.isascii():
        return host
    labels = normalize("NFKC", host).lower().replace("\u3002", ".").split(".")
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
        for label in labels
    )


def leaving(html: str) -> str:
    """The harmless HTML of a mail with links that lead to `/leave`, in a new tab."""
    return _LINK.sub(_rewritten, html)


def _rewritten(found: re.Match[str]) -> str:
    name, given = found[1], found[2]
    href = _HREF.search(given)
    if href is None:
        return found[0]
    kept = _OF_A_LINK.sub("", given)
    said = referenced(href[1])
    if said.startswith("#"):  # a place in the same mail
        return f'<{name} href="{escape(said)}"{kept}>'
    link, where = target(said)
    if not link:
        return f"<{name}{kept}>"
    return (
        f'<{name} href="/leave?to={quote(link, safe="")}" title="{escape(where)}"'
        f' target="_blank" rel="noopener noreferrer"{kept}>'
    )


class Leave:
    """Serves the page between a mail and elsewhere."""

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/leave", self._leave)]

    async def _leave(self, request: web.Request) -> web.Response:
        link, where = target(request.query.get("to", ""))
        if not link:
            raise web.HTTPBadRequest(reason="to: a link to http, https, mailto or tel")
        text = _PAGE.format(where=escape(where), link=escape(link))
        return web.Response(text=text, content_type="text/html", charset="utf-8")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Leave for {where}</title>
<link rel="stylesheet" href="/assets/tokens.css">
<link rel="stylesheet" href="/assets/base.css">
<script src="/assets/theme.js"></script>
</head>
<body class="alone">
<main class="lesson">
<h1>This link of a mail leads to {where}</h1>
<p class="who">{link}</p>
<p><a class="button" href="{link}" rel="noreferrer" autofocus>Open {where}</a></p>
</main>
</body>
</html>
"""
