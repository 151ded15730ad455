"""The page, its API and the metrics, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from relay import __version__
from relay.capture.inbox import Inbox
from relay.intake.in_hand import InHand, Submit
from relay.model.mail import DEFAULT
from relay.observe.journal import Journal
from relay.observe.stats import Stats
from relay.observe.unclaimed import Unclaimed
from relay.templates.catalog import Templates
from relay.web import arguments, health
from relay.web.captured import CapturedMails
from relay.web.figures import Figures
from relay.web.frames import Frames
from relay.web.guard import Guard, with_headers
from relay.web.lines import counted
from relay.web.live import Live
from relay.web.mails import Mails, Parameters
from relay.web.metrics import Metrics
from relay.web.openapi import document
from relay.web.page import Page
from relay.web.queue import QueuePages
from relay.web.rule_maker import RuleMaker
from relay.web.send import HttpIntake
from relay.web.templates import TemplatePages
from relay.web.trial import Compile


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page says about the relay that it belongs to."""

    transport: str
    queue: str
    region: str
    listeners: Sequence[str]
    usage_header: str
    usages: Sequence[str]
    guard: str = ""  # what it does, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the site shows; `may_write`: whether it may change something, too."""

    about: About
    journal: Journal
    stats: Stats
    unclaimed: Unclaimed
    templates: Templates
    compiled: Compile
    inbox: Inbox | None
    parameters: Parameters
    accept: Submit
    in_hand: InHand
    may_write: bool
    spool: Path | None
    give_up_after: float
    stopping: Callable[[], bool]
    intake: HttpIntake | None


def probes(trouble: health.Trouble, metrics: Metrics) -> web.Application:
    """The application of the `health` listener."""
    app = web.Application(middlewares=[counted])
    app.add_routes(health.routes(trouble, metrics))
    return app


def site(
    parts: Parts, *, guard: Guard, trouble: health.Trouble, metrics: Metrics
) -> web.Application:
    """The application of the `web` listener."""
    app = web.Application(
        middlewares=[counted, guard.middleware], client_max_size=arguments.MAX_BODY
    )
    app.on_response_prepare.append(with_headers)
    stream = Live(parts.journal)
    parts.journal.on_change(stream.changed)
    parts.stats.on_point(stream.point)

    def clear() -> int:
        count = parts.inbox.clear() if parts.inbox is not None else 0
        parts.journal.clear()
        parts.unclaimed.clear()
        stream.cleared()
        return count

    async def close(_: web.Application) -> None:
        stream.close()

    app.on_shutdown.append(close)
    captured = CapturedMails(parts.inbox, clear if parts.may_write else None)
    frames = Frames()
    app.add_routes(
        [
            *health.routes(trouble, metrics),
            *Page().routes,
            *stream.routes,
            *Mails(parts.journal, parts.parameters).routes,
            *captured.routes,
            *RuleMaker(
                captured,
                parts.journal,
                parts.templates,
                parts.unclaimed,
                parts.compiled,
                frames,
                by="subject" if parts.about.transport == "capture" else "sender",
            ).routes,
            *frames.routes,
            *Figures(parts.stats).routes,
            *TemplatePages(
                parts.templates,
                parts.accept if parts.may_write else None,
                parts.in_hand,
                frames,
            ).routes,
            *QueuePages(
                parts.spool,
                parts.journal,
                give_up_after=parts.give_up_after,
                may_write=parts.may_write,
            ).routes,
            *(parts.intake.routes if parts.intake is not None else ()),
            web.get("/api/v1/status", _status(parts)),
            web.get("/api/v1/openapi.json", _document(parts)),
        ]
    )
    return app


def _status(parts: Parts) -> Callable[[web.Request], Any]:
    about = parts.about

    async def status(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "version": __version__,
                "transport": about.transport,
                "queue": about.queue,
                "region": about.region,
                "listeners": list(about.listeners),
                "usageHeader": about.usage_header,
                "usages": list(about.usages),
                "guard": about.guard,
                "waiting": parts.stats.now().waiting,
                "troubles": _troubles(parts.stats),
                "mayWrite": parts.may_write,
                "stopping": parts.stopping(),
            }
        )

    return status


def _troubles(stats: Stats) -> list[dict[str, str]]:
    """What an operator must know, each in a sentence, and what SES said of it."""
    now = stats.now()
    waits = f" {now.waiting} mails wait." if now.waiting else ""
    troubles = []
    if now.paused and not now.accounts:
        troubles.append(
            {"text": f"Sending is paused: {now.paused}.{waits}", "cure": ""}
        )
    for account in now.accounts:
        if account.paused:
            goes = f" Its mail goes by {account.fallback}." if account.fallback else ""
            text = (
                f"Account {account.account} is paused: {account.paused}.{goes}{waits}"
            )
            troubles.append({"text": text, "cure": ""})
    paused = {one.account: one.paused for one in now.accounts} or {DEFAULT: now.paused}
    for by, alarm in stats.alarms.items():
        if alarm.reply.text == paused.get(by or DEFAULT):
            continue
        of = f" of account {by or DEFAULT}" if now.accounts else ""
        text = f"SES takes no mail{of}: {alarm.reply.text}.{waits}"
        troubles.append({"text": text, "cure": alarm.detail})
    return troubles


def _document(parts: Parts) -> Callable[[web.Request], Any]:
    whole = document(version=__version__)

    async def openapi(_: web.Request) -> web.Response:
        return web.json_response(whole)

    return openapi
