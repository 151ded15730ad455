"""What is in captured mails: for people who look, and for tests that wait.

All of it is in capture mode, or of mail that a guard keeps; of other mail no content
is kept.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from relay.capture.inbox import Captured, Inbox
from relay.capture.originals import Originals
from relay.content.header import normalise
from relay.web import arguments
from relay.web.leave import leaving
from relay.web.preview import Preview

MOST_WAITING = 100  # requests that wait for a mail
LONGEST = 300.0  # seconds
# The frame around a mail's HTML: no scripts, no forms, and nothing from elsewhere. What
# a person clicks opens a tab of its own, which is no longer in the frame's sandbox.
SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox"
# The page may look how tall it is, which needs an origin that is its own. It gives a
# document without scripts nothing; a tab of its own never has it.
MEASURED = f"{SANDBOX} allow-same-origin"
VIEW_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# When a person asks for remote images: images, styles and fonts, never scripts.
REMOTE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline' http: https:; "
    "img-src data: http: https:; font-src data: http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

_PREFERS = re.compile(
    r"\(\s{0,9}prefers-color-scheme\s{0,9}:\s{0,9}(light|dark)\s{0,9}\)", re.IGNORECASE
)
# What takes both is told the one, whatever the browser's own is.
_TAKES_BOTH = re.compile(
    r"(?<![\w-])(color-scheme\s{0,9}:\s{0,9})(?:light\s{1,9}dark|dark\s{1,9}light)\b",
    re.IGNORECASE,
)

NOT_KEPT = "Contents are kept in capture mode only"


def as_frame(html: str, request: web.Request) -> web.Response:
    """An answer that is a hostile document, for a frame of ours alone.

    `remote=1`: what it loads from elsewhere is loaded; `scheme`: `light` or `dark`, as
    if the reader's system were so; `fit=1`: the page measures it.
    """
    remote = request.query.get("remote") == "1"
    framed = request.headers.get("Sec-Fetch-Dest", "iframe") == "iframe"
    sandbox = MEASURED if framed and request.query.get("fit") == "1" else SANDBOX
    scheme = request.query.get("scheme")
    if scheme in ("light", "dark"):
        html = _PREFERS.sub(
            lambda found: (
                f"(min-width: {0 if found[1].lower() == scheme else 99999}px)"
            ),
            html,
        )
        html = _TAKES_BOTH.sub(rf"\g<1>{scheme}", html)
    html = leaving(html)
    return web.Response(
        text=html,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": (
                f"{sandbox}; {REMOTE_POLICY if remote else VIEW_POLICY}"
            ),
            "X-Frame-Options": "SAMEORIGIN",
        },
    )


async def _framed(content: bytes, request: web.Request) -> web.Response:
    html = await asyncio.to_thread(lambda: Preview(content).html)
    if html is None:
        raise web.HTTPNotFound(reason="This mail has no HTML")
    return as_frame(html, request)


def shown(captured: Captured, original: bytes | None) -> dict[str, Any]:
    """A captured mail as people and tests read it; `original` is what it was before."""
    preview = Preview(captured.mail.content)
    return {
        "id": captured.id,
        "at": round(captured.at, 3),
        "to": list(captured.mail.envelope.recipients),
        "sender": captured.mail.envelope.sender,
        "usage": captured.mail.choice.usage,
        "locale": captured.mail.choice.locale,
        "subject": preview.subject,
        "text": preview.text,
        "html": preview.html,
        "code": preview.code,
        "links": preview.links,
        "headers": [[name, value] for name, value in preview.fields],
        "attachments": [
            {
                "name": attachment.name,
                "type": attachment.type,
                "size": attachment.size,
                "shown": attachment.shown,
            }
            for attachment in preview.attachments
        ],
        "remote": preview.remote,
        "original": original is not None,
    }


class CapturedMails:
    """Answers from the inbox, where the settings say that it `keeps` something.

    `clear` empties it, where who asks `may_write`; `forget` forgets one mail, or says
    why not.
    """

    def __init__(
        self,
        inbox: Inbox,
        originals: Originals,
        clear: Callable[[], int],
        forget: Callable[[str], str],
        *,
        keeps: Callable[[], bool],
        may_write: Callable[[], bool],
    ) -> None:
        self._inbox = inbox
        self._originals = originals
        self._clear = clear
        self._forget = forget
        self._keeps = keeps
        self._may_write = may_write
        self._waiting: set[asyncio.Future[None]] = set()
        inbox.on_put(self._wake)

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/mails/{id}/content", self._content),
            web.get("/api/v1/mails/{id}/raw", self._raw),
            web.get("/api/v1/mails/{id}/html", self._html),
            web.get("/api/v1/mails/{id}/code", self._code),
            web.get("/api/v1/wait", self._wait),
            web.delete("/api/v1/mails", self._clear_all),
            web.delete("/api/v1/mails/{id}", self._forget_one),
            web.get("/view/{id}", self._view),
            web.get("/api/v1/mails/{id}/original", self._original),
            web.get("/view/{id}/original", self._view_original),
        ]

    def _wake(self, _: Captured) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _kept(self) -> Inbox:
        if not self._keeps():
            raise web.HTTPForbidden(reason=NOT_KEPT)
        return self._inbox

    def asked(self, request: web.Request) -> Captured:
        captured = self._kept().get(request.match_info["id"])
        if captured is None:
            raise web.HTTPNotFound(reason="Its content is not kept, or no longer")
        return captured

    async def _content(self, request: web.Request) -> web.Response:
        found = self.asked(request)
        return web.json_response(
            await asyncio.to_thread(shown, found, self._originals.get(found.id))
        )

    async def _raw(self, request: web.Request) -> web.Response:
        captured = self.asked(request)
        name = f'attachment; filename="{captured.id}.eml"'
        return web.Response(
            body=captured.mail.content,
            content_type="message/rfc822",
            headers={"Content-Disposition": name},
        )

    async def _html(self, request: web.Request) -> web.Response:
        """The HTML as it is in the mail, as a text that no browser renders."""
        content = self.asked(request).mail.content
        source = await asyncio.to_thread(lambda: Preview(content).source)
        if source is None:
            raise web.HTTPNotFound(reason="This mail has no HTML")
        body = source.encode("utf-8", "replace")
        return web.Response(body=body, content_type="text/plain", charset="utf-8")

    async def _code(self, request: web.Request) -> web.Response:
        content = self.asked(request).mail.content
        code = await asyncio.to_thread(lambda: Preview(content).code)
        if not code:
            raise web.HTTPNotFound(reason="No code is found in this mail")
        return web.json_response({"code": code})

    async def _view(self, request: web.Request) -> web.Response:
        captured = self.asked(request)
        content = captured.mail.content
        return await _framed(content, request)

    async def _written(self, request: web.Request) -> bytes:
        """What the client wrote of the mail that the request's path names."""
        self._kept()
        found = self._originals.get(request.match_info["id"])
        if found is None:
            raise web.HTTPNotFound(reason="What its client wrote is not kept")
        return await asyncio.to_thread(normalise, found)

    async def _original(self, request: web.Request) -> web.Response:
        content = await self._written(request)

        def made() -> dict[str, Any]:
            preview = Preview(content)
            return {
                "subject": preview.subject,
                "text": preview.text,
                "html": preview.html,
                "headers": [[name, value] for name, value in preview.fields],
                "remote": preview.remote,
            }

        return web.json_response(await asyncio.to_thread(made))

    async def _view_original(self, request: web.Request) -> web.Response:
        return await _framed(await self._written(request), request)

    def _may_forget(self) -> None:
        self._kept()
        if not self._may_write():
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)

    async def _clear_all(self, _: web.Request) -> web.Response:
        self._may_forget()
        return web.json_response({"cleared": self._clear()})

    async def _forget_one(self, request: web.Request) -> web.Response:
        self._may_forget()
        mail_id = request.match_info["id"]
        if obstacle := self._forget(mail_id):
            raise web.HTTPConflict(reason=obstacle)
        return web.json_response({"cleared": 1})

    async def _wait(self, request: web.Request) -> web.Response:
        """The newest mail that fits, at once or when it comes."""
        inbox = self._kept()
        to = arguments.word(request, "to").lower()
        usage = arguments.word(request, "usage")
        subject = arguments.word(request, "subject").lower()
        after = arguments.word(request, "after")
        timeout = arguments.number(request, "timeout", default=10.0, most=LONGEST)
        if len(self._waiting) >= MOST_WAITING:
            raise web.HTTPServiceUnavailable(reason="Too many requests wait already")

        def fits(captured: Captured) -> bool:
            recipients = [
                address.lower() for address in captured.mail.envelope.recipients
            ]
            return (
                (not to or to in recipients)
                and (not usage or captured.mail.choice.usage == usage)
                and subject in captured.subject.lower()
            )

        def found() -> Captured | None:
            for captured in reversed(inbox.snapshot()):
                if after and captured.id == after:
                    return None
                if fits(captured):
                    return captured
            return None

        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout or 0.0)
        while (captured := found()) is None:
            waiting: asyncio.Future[None] = loop.create_future()
            self._waiting.add(waiting)
            try:
                async with asyncio.timeout_at(deadline):
                    await waiting
            except TimeoutError:
                raise web.HTTPNotFound(
                    reason=f"No such mail came within {timeout:g} s"
                ) from None
            finally:
                self._waiting.discard(waiting)
        return web.json_response(
            await asyncio.to_thread(shown, captured, self._originals.get(captured.id))
        )
