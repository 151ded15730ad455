"""What is in captured mails: for people who look, and for tests that wait.

All of it is in capture mode, or of mail that a guard keeps; of other mail no content
is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from relay.capture.inbox import Captured, Inbox
from relay.web import arguments
from relay.web.preview import Preview

MOST_WAITING = 100  # requests that wait for a mail
LONGEST = 300.0  # seconds
# The frame around a mail's HTML: no scripts, no forms, and nothing from elsewhere.
VIEW_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# When a person asks for remote images: images, styles and fonts, never scripts.
REMOTE_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline' http: https:; "
    "img-src data: http: https:; font-src data: http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

NOT_KEPT = "Contents are kept in capture mode only"


def as_frame(html: str, *, remote: bool) -> web.Response:
    """An answer that is a hostile document, for a frame of ours alone."""
    return web.Response(
        text=html,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": REMOTE_POLICY if remote else VIEW_POLICY,
            "X-Frame-Options": "SAMEORIGIN",
        },
    )


def shown(captured: Captured) -> dict[str, Any]:
    """A captured mail as people and tests read it."""
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
            }
            for attachment in preview.attachments
        ],
        "remote": preview.remote,
    }


class CapturedMails:
    """Answers from the inbox; None: there is no such thing in this mode.

    `clear` None: nobody may.
    """

    def __init__(self, inbox: Inbox | None, clear: Callable[[], int] | None) -> None:
        self._inbox = inbox
        self._clear = clear
        self._waiting: set[asyncio.Future[None]] = set()
        if inbox is not None:
            inbox.on_put(self._wake)

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/mails/{id}/content", self._content),
            web.get("/api/v1/mails/{id}/raw", self._raw),
            web.get("/api/v1/mails/{id}/code", self._code),
            web.get("/api/v1/wait", self._wait),
            web.delete("/api/v1/mails", self._forget),
            web.get("/view/{id}", self._view),
        ]

    def _wake(self, _: Captured) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _kept(self) -> Inbox:
        if self._inbox is None:
            raise web.HTTPForbidden(reason=NOT_KEPT)
        return self._inbox

    def asked(self, request: web.Request) -> Captured:
        captured = self._kept().get(request.match_info["id"])
        if captured is None:
            raise web.HTTPNotFound(reason="Its content is not kept, or no longer")
        return captured

    async def _content(self, request: web.Request) -> web.Response:
        found = self.asked(request)
        return web.json_response(await asyncio.to_thread(shown, found))

    async def _raw(self, request: web.Request) -> web.Response:
        captured = self.asked(request)
        name = f'attachment; filename="{captured.id}.eml"'
        return web.Response(
            body=captured.mail.content,
            content_type="message/rfc822",
            headers={"Content-Disposition": name},
        )

    async def _code(self, request: web.Request) -> web.Response:
        content = self.asked(request).mail.content
        code = await asyncio.to_thread(lambda: Preview(content).code)
        if not code:
            raise web.HTTPNotFound(reason="No code is found in this mail")
        return web.json_response({"code": code})

    async def _view(self, request: web.Request) -> web.Response:
        captured = self.asked(request)
        content = captured.mail.content
        html = await asyncio.to_thread(lambda: Preview(content).html)
        if html is None:
            raise web.HTTPNotFound(reason="This mail has no HTML")
        return as_frame(html, remote=request.query.get("remote") == "1")

    async def _forget(self, _: web.Request) -> web.Response:
        self._kept()
        if self._clear is None:
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)
        return web.json_response({"cleared": self._clear()})

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
        return web.json_response(await asyncio.to_thread(shown, captured))
