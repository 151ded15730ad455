"""The page's own files, from the package; every view has an address.

A document names the script of its view, so that a browser asks for all of it at once,
and has in it what the view would ask first.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.resources import files

from aiohttp import hdrs, web

from relay.web.linked import linked

_TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
# A document of 30 kB is compressed in less than a millisecond, sooner than by a thread.
_AT_ONCE = 100_000
_GZIP = 31  # zlib's number for its widest window in gzip's frame
# One file for a browser, in this order.
SHEET = "page.css"
SHEETS = tuple(
    f"{name}.css"
    for name in (
        *("tokens", "base", "mails", "mail", "refused", "rule"),
        *("now", "queue", "templates"),
    )
)
# What the page's script makes views of.
VIEWS = (
    *("/", "/mails", "/mails/{id}", "/mails/{id}/rule"),
    *("/now", "/templates", "/queue"),
)


# Answers to a view's first questions, as JSON by the path that it asks; `plain`: it
# shows all, and not what a search finds.
First = Callable[[str, bool], Mapping[str, str]]


class Page:
    """Serves what is in `static`; read once, since it is little."""

    def __init__(self, first: First) -> None:
        self._first = first
        self._files = {
            file.name: _File(file.read_bytes())
            for file in files("relay.web").joinpath("static").iterdir()
            if file.is_file() and file.name.rpartition(".")[2] in _TYPES
        }

    @property
    def routes(self) -> list[web.RouteDef]:
        views = [web.get(view, self._index) for view in VIEWS]
        return [
            *views,
            web.get("/templates/{usage}", self._index),
            web.get("/assets/{name}", self._asset),
            web.get("/favicon.ico", self._icon),
        ]

    @cached_property
    def _made(self) -> dict[str, _File]:
        """What is made of the files, when the page is opened first."""
        texts = {name: file.content.decode() for name, file in self._files.items()}
        scripts = {name: text for name, text in texts.items() if name.endswith(".js")}
        made = {**linked(scripts), SHEET: "\n".join(texts[one] for one in SHEETS)}
        return {name: _File(text.encode()) for name, text in made.items()}

    async def _index(self, request: web.Request) -> web.Response:
        view = request.path.split("/")[1] or "mails"
        answers = self._first(view, not request.query_string)
        pairs = [f"{json.dumps(path)}: {text}" for path, text in answers.items()]
        # No text in it may end the element (HTML, section 4.12.1.3).
        held = f"{{{', '.join(pairs)}}}".replace("<", "\\u003c")
        text = (
            self._files["index.html"]
            .content.decode()
            .replace("{view}", view, 1)
            .replace("{first}", held, 1)
        )
        response = web.Response(
            text=text, content_type="text/html", zlib_executor_size=_AT_ONCE
        )
        response.enable_compression()
        return response

    async def _icon(self, request: web.Request) -> web.Response:
        return _answer(request, "icon.svg", self._files["icon.svg"])

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        file = self._made.get(name) or self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        return _answer(request, name, file)


def _answer(request: web.Request, name: str, file: _File) -> web.Response:
    packed = takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
    etag = f"{file.hash}-gzip" if packed else file.hash
    # Kept, and asked about each time: a newer relay's page is seen at once.
    headers = {
        hdrs.CACHE_CONTROL: "no-cache",
        hdrs.ETAG: f'"{etag}"',
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    known = request.if_none_match or ()
    if any(one.value in (etag, "*") for one in known):
        return web.Response(status=304, headers=headers)
    if packed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(
        body=file.packed if packed else file.content,
        headers=headers,
        content_type=_TYPES[name.rpartition(".")[2]],
        charset="utf-8",
    )


class _File:
    """One file; what is made of it is made when it is first asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]

    @cached_property
    def packed(self) -> bytes:
        making = zlib.compressobj(9, wbits=_GZIP)
        return making.compress(self.content) + making.flush()


def takes_gzip(accepted: str) -> bool:
    """Tell whether who sent this Accept-Encoding takes gzip (RFC 9110 section 12.5.3).

    By its name or by *, of which the name counts more; a weight of 0 means no.
    """
    found = {}
    for part in accepted.split(","):
        name, *parameters = (one.strip().lower() for one in part.split(";"))
        weights = [one[2:] for one in parameters if one.startswith("q=")]
        found[name] = not (weights and set(weights[0]) <= set("0."))
    return next(
        (found[name] for name in ("gzip", "x-gzip", "*") if name in found), False
    )
