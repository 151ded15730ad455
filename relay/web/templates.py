"""`/api/v1/templates`: what there is, what it makes of variables, and one sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from relay.content import address
from relay.content.header import parse
from relay.intake.in_hand import InHand, Submit
from relay.model.reply import Refused
from relay.model.submission import Envelope, Order, Submission, new_id
from relay.templates.catalog import Templates, Tried
from relay.templates.lint import problems
from relay.templates.samples import VARIABLES
from relay.templates.source import Source
from relay.templates.template import Template
from relay.web import arguments
from relay.web.frames import Frames
from relay.web.rendered import rendered

NO_ORIGINAL = parse(b"")


class TemplatePages:
    """Answers about the `templates` in force; one may be sent where `may_write`.

    The work on what is sent is `in_hand`'s, whoever still waits for it.
    """

    def __init__(
        self,
        templates: Callable[[], Templates],
        accept: Submit,
        in_hand: InHand,
        frames: Frames,
        *,
        may_write: Callable[[], bool],
    ) -> None:
        self._templates = templates
        self._accept = accept
        self._may_write = may_write
        self._in_hand = in_hand
        self._frames = frames

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/templates", self._list),
            web.post("/api/v1/templates/render", self._render),
            web.post("/api/v1/templates/send", self._send),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        templates = self._templates()
        # In a thread: it looks at the whole of each.
        described = await asyncio.to_thread(_all_described, templates)
        return web.json_response(
            {
                "templates": described,
                "warnings": list(templates.warnings),
                "samples": VARIABLES,
            }
        )

    async def _render(self, request: web.Request) -> web.Response:
        given = await arguments.body(request)
        usage = arguments.text(given, "usage", required=True)
        locale = arguments.text(given, "locale")
        variables = arguments.table_of(given, "variables")
        to = arguments.text(given, "to") or "ann@example.com"
        if locale:
            variables.setdefault("locale", locale)
        try:
            templates = self._templates()
            template = templates.choose(usage, locale)
            # In a thread: a long text takes its time.
            envelope = Envelope("app@localhost", (to,))
            found = await asyncio.to_thread(
                _rendered, templates, template, envelope, variables
            )
        except Refused as refused:
            raise web.HTTPUnprocessableEntity(reason=refused.reply.text) from None
        return web.json_response({**found, "view": self._frames.keep(found["html"])})

    async def _send(self, request: web.Request) -> web.Response:
        if not self._may_write():
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)
        given = await arguments.body(request)
        usage = arguments.text(given, "usage", required=True)
        locale = arguments.text(given, "locale")
        variables = arguments.table_of(given, "variables")
        to = arguments.text(given, "to", required=True)
        try:
            recipient = address.check(to)
            template = self._templates().choose(usage, locale)
        except ValueError:
            reason = "to: not an address that SES takes"
            raise web.HTTPUnprocessableEntity(reason=reason) from None
        except Refused as refused:
            raise web.HTTPUnprocessableEntity(reason=refused.reply.text) from None
        if not template.names_sender:
            raise web.HTTPUnprocessableEntity(
                reason="Nobody to send as: set ses.emailAddress, or sendFrom with an "
                "address in the template"
            )
        if locale:
            variables.setdefault("locale", locale)
        if self._in_hand.obstacle:
            raise web.HTTPServiceUnavailable(reason=self._in_hand.obstacle)
        submission = Submission(
            id=new_id(),
            envelope=Envelope(None, (recipient,)),
            content=b"",
            peer=request.remote or "",
            received_at=time.time(),
            listener="page",
            order=Order(usage, variables, locale),
        )
        end = await self._in_hand.take(submission, self._accept)
        reply = "" if end is None else str(end.reply)
        return web.json_response({"id": submission.id, "reply": reply})


def _rendered(
    templates: Templates,
    template: Template,
    envelope: Envelope,
    variables: Mapping[str, Any],
) -> dict[str, Any]:
    return rendered(
        template,
        NO_ORIGINAL,
        envelope,
        variables,
        usages=templates.usages,
        given=templates.given(),
    )


def _all_described(templates: Templates) -> list[dict[str, Any]]:
    given, tried = templates.given(), templates.tried()
    return [
        {
            **_described(template),
            "sample": _sample(template, tried),
            "problems": len(
                problems(template, None, usages=templates.usages, given=given)
            ),
        }
        for template in templates.all
    ]


def _sample(template: Template, tried: Tried) -> Mapping[str, Any]:
    """The variables of a kept test: of its own locale, else of another one."""
    usage, locale = template.usage, template.locale
    others = (tried[key] for key in tried if key[0] == usage)
    return tried.get((usage, locale)) or next(others, {})


def _described(template: Template) -> dict[str, Any]:
    source = template.source
    return {
        "usage": template.usage,
        "locale": template.locale,
        "subject": source.subject,
        "contentType": source.content_type,
        "syntax": source.syntax,
        "timezone": source.timezone,
        "sendFrom": source.send_from,
        "replyTo": source.reply_to,
        "variables": list(template.variables),
        "validFor": template.valid_for,
        "supersedes": template.supersedes,
        "priority": template.priority.name.lower(),
        "attachments": source.attachments,
        "tracking": source.tracking,
        "unsubscribe": source.unsubscribe,
        "perRecipient": _per_recipient(source),
        "overLimit": source.over_limit,
        "warnings": list(template.warnings),
        "place": source.place,
    }


def _per_recipient(source: Source) -> str:
    """The limit as the settings say it."""
    if source.per_recipient is None:
        return ""
    number, seconds = source.per_recipient
    unit = {1.0: "s", 60.0: "m", 3600.0: "h", 86_400.0: "d"}[seconds]
    return f"{number}/{unit}"
