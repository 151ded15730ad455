"""Rendered documents that wait for their frame on the page, which shows one at once."""

from __future__ import annotations

import secrets

from aiohttp import web

from relay.web.captured import as_frame

KEPT = 40
LARGEST = 2_000_000  # characters of one


class Frames:
    """The newest documents, each at an address that nobody guesses."""

    def __init__(self) -> None:
        self._rendered: dict[str, str] = {}

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/view/rendered/{key}", self._view)]

    def keep(self, html: str | None) -> str | None:
        """The address of a document's frame; None: there is nothing to show."""
        if html is None or len(html) > LARGEST:
            return None
        key = secrets.token_urlsafe(12)
        self._rendered[key] = html
        while len(self._rendered) > KEPT:
            del self._rendered[next(iter(self._rendered))]
        return f"/view/rendered/{key}"

    async def _view(self, request: web.Request) -> web.Response:
        html = self._rendered.get(request.match_info["key"])
        if html is None:
            raise web.HTTPNotFound(reason="It was rendered too long ago")
        return as_frame(html, request)
