"""The page, its API and the metrics, put together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from relay import __version__
from relay.capture.inbox import Inbox
from relay.capture.originals import Originals
from relay.intake.in_hand import InHand, Submit
from relay.observe.journal import Journal
from relay.observe.ring import Ring
from relay.observe.settings_read import SettingsRead
from relay.observe.stats import Stats
from relay.observe.story import Entry
from relay.observe.unclaimed import Unclaimed
from relay.templates.catalog import Templates
from relay.web import arguments, health
from relay.web.attached import Attached
from relay.web.captured import CapturedMails
from relay.web.checks import Checks
from relay.web.figures import Figures
from relay.web.forwarding import Forward, Forwarding
from relay.web.frames import Frames
from relay.web.guard import Guard, with_headers
from relay.web.leave import Leave
from relay.web.lines import counted
from relay.web.live import Live
from relay.web.mails import NO_SUCH_MAIL, Mails, Parameters
from relay.web.marks import Marks
from relay.web.metrics import Metrics
from relay.web.openapi import document
from relay.web.page import Page
from relay.web.queue import Opener, QueuePages
from relay.web.remedy import Circumstances
from relay.web.rule_maker import RuleMaker
from relay.web.send import HttpIntake
from relay.web.suppression import SuppressionPages
from relay.web.templates import TemplatePages
from relay.web.trial import Compile
from relay.web.troubles import of_events, of_sending, of_settings, of_webhooks
from relay.web.why import why


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
    """What the site shows; `may_write`: whether it may change something, too.

    What other settings may change is asked for each time.
    """

    about: Callable[[], About]
    read: SettingsRead
    journal: Journal
    stats: Stats
    unclaimed: Unclaimed
    templates: Callable[[], Templates]
    compiled: Compile
    inbox: Inbox
    originals: Originals
    keeps: Callable[[], bool]
    parameters: Parameters
    accept: Submit
    forward: Forward
    in_hand: InHand
    may_write: Callable[[], bool]
    book: Opener | None
    spool: Path | None
    give_up_after: Callable[[], float]
    stopping: Callable[[], bool]
    intake: HttpIntake
    suppression: SuppressionPages

    @property
    def circumstances(self) -> Circumstances:
        """What the cure of a refusal depends on, now."""
        about = self.about()
        return Circumstances(
            usage_header=about.usage_header,
            templates=self.templates(),
            region=about.region,
            guard=about.guard,
        )


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
    marks = Marks(parts.journal)
    ring = Ring()
    figures = Figures(
        parts.stats, ring, captures=lambda: parts.about().transport == "capture"
    )
    stream = Live(parts.journal, marks, figures.told)
    parts.journal.on_change(stream.changed)
    parts.stats.on_point(ring.add)
    parts.stats.on_point(stream.point)

    def clear() -> int:
        count = parts.inbox.clear()
        parts.originals.clear()
        parts.journal.clear()
        parts.unclaimed.clear()
        stream.cleared()
        return count

    queue = QueuePages(
        parts.book,
        parts.spool,
        parts.journal,
        parts.stats,
        give_up_after=parts.give_up_after,
        may_write=parts.may_write,
    )

    def forget(mail_id: str) -> str:
        """Forget the story of one mail; else say why not."""
        entry = parts.journal.get(mail_id)
        if entry is None:
            raise web.HTTPNotFound(reason=NO_SUCH_MAIL)
        if entry.state in ("queued", "sending"):
            return "It waits in the queue: it can be dropped there"
        if parts.about().transport != "capture" and entry.state != "captured":
            return "Only what was captured is deleted by hand"
        parts.inbox.forget(entry.id)
        parts.originals.forget(entry.id)
        parts.journal.forget(entry.id)
        return ""

    async def close(_: web.Application) -> None:
        stream.close()
        await queue.close()

    app.on_shutdown.append(close)

    def explained(entry: Entry) -> dict[str, Any] | None:
        return why(entry, parts.circumstances)

    mails = Mails(parts.journal, parts.parameters, explained, marks)

    def first(view: str, plain: bool) -> dict[str, str]:
        """What a page asks at its start, as app.js and feed.js ask it."""
        asked = {"/api/v1/status": json.dumps(_standing(parts))}
        if view == "mails" and plain:
            asked["/api/v1/mails?limit=100"] = mails.first(100)
        return asked

    captured = CapturedMails(
        parts.inbox,
        parts.originals,
        clear,
        forget,
        keeps=parts.keeps,
        may_write=parts.may_write,
    )
    frames = Frames()
    app.add_routes(
        [
            *health.routes(trouble, metrics),
            *Page(first).routes,
            *Leave().routes,
            *stream.routes,
            *mails.routes,
            *captured.routes,
            *Attached(captured).routes,
            *Checks(captured).routes,
            *Forwarding(
                captured,
                parts.journal,
                parts.forward,
                parts.in_hand,
                captures=parts.about().transport == "capture",
                may_write=parts.may_write,
            ).routes,
            *RuleMaker(
                captured,
                parts.journal,
                parts.templates,
                parts.unclaimed,
                parts.compiled,
                frames,
                by="subject" if parts.about().transport == "capture" else "sender",
            ).routes,
            *frames.routes,
            *figures.routes,
            *TemplatePages(
                parts.templates,
                parts.accept,
                parts.in_hand,
                frames,
                may_write=parts.may_write,
            ).routes,
            *queue.routes,
            *parts.suppression.routes,
            *parts.intake.routes,
            web.get("/api/v1/status", _status(parts)),
            web.get("/api/v1/openapi.json", _document(parts)),
        ]
    )
    return app


def _standing(parts: Parts) -> dict[str, Any]:
    about, read = parts.about(), parts.read
    return {
        "version": __version__,
        "transport": about.transport,
        "queue": about.queue,
        "region": about.region,
        "listeners": list(about.listeners),
        "usageHeader": about.usage_header,
        "usages": list(about.usages),
        "guard": about.guard,
        "waiting": parts.stats.now().waiting,
        "settings": {
            "hash": read.hash,
            "at": round(read.at, 3),
            "mistake": read.mistake,
            "needsRestart": list(read.needs_restart),
        },
        "troubles": [
            *of_settings(read),
            *of_sending(parts.stats, parts.circumstances),
            *of_events(parts.stats),
            *of_webhooks(parts.stats.webhooks()),
        ],
        "mayWrite": parts.may_write(),
        "stopping": parts.stopping(),
    }


def _status(parts: Parts) -> Callable[[web.Request], Any]:
    async def status(_: web.Request) -> web.Response:
        return web.json_response(_standing(parts))

    return status


def _document(parts: Parts) -> Callable[[web.Request], Any]:
    whole = document(version=__version__)

    async def openapi(_: web.Request) -> web.Response:
        return web.json_response(whole)

    return openapi
