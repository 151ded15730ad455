"""The page's own files, from the package; every view has an address."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

_TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
# What the page's script makes views of.
VIEWS = (
    *("/", "/mails", "/mails/{id}", "/mails/{id}/rule"),
    *("/now", "/templates", "/queue"),
)


class Page:
    """Serves what is in `static`; read once, since it is little."""

    def __init__(self) -> None:
        self._files = {
            file.name: file.read_bytes()
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

    async def _index(self, _: web.Request) -> web.Response:
        return self._answer("index.html")

    async def _icon(self, _: web.Request) -> web.Response:
        return self._answer("icon.svg")

    async def _asset(self, request: web.Request) -> web.Response:
        return self._answer(request.match_info["name"])

    def _answer(self, name: str) -> web.Response:
        content = self._files.get(name)
        if content is None:
            raise web.HTTPNotFound
        kind = _TYPES[name.rpartition(".")[2]]
        return web.Response(body=content, content_type=kind, charset="utf-8")
