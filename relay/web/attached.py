"""The files that came with a captured mail: to look at, or to keep.

A file is somebody else's: nothing of it is a document of ours. What is looked at is an
image or a text, by the type that it says, which no browser may doubt; all else, PDF and
SVG too, is a download.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from aiohttp import web

from relay.web.captured import CapturedMails
from relay.web.preview import Attachment, Preview

POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+-]")
# Of names that systems and browsers take for a path or for something hidden.
_PATH = re.compile(r"[/\\:*?\"<>|]")


class Attached:
    """Answers with the files of captured mails, by their number from 1."""

    def __init__(self, mails: CapturedMails) -> None:
        self._mails = mails

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/mails/{id}/attachments/{number}", self._download),
            web.get("/view/{id}/attachments/{number}", self._show),
        ]

    async def _download(self, request: web.Request) -> web.Response:
        found = await self._asked(request)
        kind = found.type if _TYPE.fullmatch(found.type) else "application/octet-stream"
        data = await asyncio.to_thread(lambda: found.data)
        return _answer(data, kind, _disposition("attachment", found.name))

    async def _show(self, request: web.Request) -> web.Response:
        found = await self._asked(request)
        name = _disposition("inline", found.name)
        if found.shown == "image":
            return _answer(
                await asyncio.to_thread(lambda: found.data), found.type, name
            )
        if found.shown == "text":
            text = await asyncio.to_thread(lambda: found.text)
            data = text.encode("utf-8", "replace")
            return _answer(data, "text/plain; charset=utf-8", name)
        raise web.HTTPNotFound(reason="A file of this type is a download alone")

    async def _asked(self, request: web.Request) -> Attachment:
        content = self._mails.asked(request).mail.content
        files = await asyncio.to_thread(lambda: Preview(content).attachments)
        number = request.match_info["number"]
        if not _NUMBER.fullmatch(number) or int(number) > len(files):
            raise web.HTTPNotFound(reason="This mail has no attachment of this number")
        return files[int(number) - 1]


def _answer(data: bytes, kind: str, disposition: str) -> web.Response:
    return web.Response(
        body=data,
        headers={
            "Content-Type": kind,
            "Content-Disposition": disposition,
            "Content-Security-Policy": POLICY,
        },
    )


def _disposition(how: str, name: str) -> str:
    """The header of RFC 6266, for old and for newer programs."""
    name = _PATH.sub("_", name).strip(" .") or "attachment"
    plain = _NOT_PLAIN.sub("_", name)
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
