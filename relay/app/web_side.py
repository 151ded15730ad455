"""What looks at the relay: counters, stories, the page, probes; built from settings.

`app` tells it of the parts that do the work; nothing of them knows of it. aiohttp
costs a quarter of a second of the start, so the servers begin after the listeners,
and a relay that serves neither page nor probes never imports it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from relay import config, password
from relay.content.header import decoded, header_of, parse
from relay.delivery.account_pace import AccountPace
from relay.delivery.admission import Gate
from relay.delivery.pace import Pace
from relay.model.mail import Mail
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe.awaited import Awaited
from relay.observe.events import Event
from relay.observe.stats import Now, Stats
from relay.queue import Unwritable
from relay.ses.parameters import RequestSettings, request_for
from relay.smtp.doorkeeper import Doorkeeper
from relay.system import sockets
from relay.templates.template import Templates

if TYPE_CHECKING:  # not every relay needs them, or aiohttp and SQLite behind them
    from relay.capture.inbox import Inbox
    from relay.observe.journal import Journal
    from relay.queue.sqlite import SqliteQueue
    from relay.web.guard import Verify
    from relay.web.metrics import Metrics
    from relay.web.site import Parts

Accept = Callable[[Submission], Awaitable[Reply]]


class Watch:
    """The observers of one relay, and the servers that show what they saw."""

    name = "web"

    def __init__(
        self,
        settings: config.Config,
        templates: Templates,
        *,
        inbox: Inbox | None,
        page: Sequence[socket.socket],
        health: Sequence[socket.socket],
    ) -> None:
        self._settings = settings
        self._templates = templates
        self._inbox = inbox
        self.stats = Stats(usages=templates.usages)
        self._awaited = Awaited()
        self._page = page
        self._health = health

    @cached_property
    def _journal(self) -> Journal:
        from relay.observe.journal import Journal

        if self._inbox is not None:
            return Journal(subject=_subject, taken="captured")
        return Journal(subject=_subject_of(self._templates))

    @property
    def serves(self) -> bool:
        """Whether anybody could ask."""
        return bool(self._settings.web.listen or self._settings.health.listen)

    @property
    def observers(self) -> list[Callable[[Event], None]]:
        """Who is to be told of what happens to mail."""
        if not self._settings.web.listen:
            return [self.stats] if self.serves else []
        return [self.stats, self._journal, self._awaited]

    def server(
        self,
        *,
        accept: Accept,
        request: RequestSettings,
        listening: Sequence[socket.socket],
        queue: SqliteQueue | None,
        is_open: Callable[[], bool],
        stack: AsyncExitStack,
    ) -> Server:
        """The service that begins the servers; they end with `stack`, after all else.

        `listening` are the sockets that clients of SMTP connect to, `is_open` tells
        whether the way to SES is open.
        """
        return Server(self, accept, request, listening, queue, is_open, stack)

    async def begin(
        self,
        server: Server,
        stopping: asyncio.Event,
    ) -> None:
        """Serve the page and the probes from here on."""
        await asyncio.to_thread(import_module, "relay.web.site")
        if stopping.is_set():
            return
        from relay.web import health, site
        from relay.web.metrics import Metrics

        settings = self._settings
        metrics = Metrics(
            self.stats, transport=settings.transport, queue=settings.queue.engine
        )
        trouble = _trouble(server, stopping)
        if self._health:
            app = site.probes(trouble, metrics)
            await server.stack.enter_async_context(health.served(app, self._health))
        if self._page:
            app = self._site(server, stopping, trouble, metrics)
            await server.stack.enter_async_context(health.served(app, self._page))

    def _site(
        self,
        server: Server,
        stopping: asyncio.Event,
        trouble: Callable[[], Awaitable[str]],
        metrics: Metrics,
    ) -> Any:  # noqa: ANN401 - aiohttp's application, which only `web` knows
        from relay.web import health, send, site
        from relay.web.guard import Guard

        web = self._settings.web
        hashed = config.revealed(web.password_hash)
        guard = Guard(
            listen=config.host_and_port(web.listen)[0],
            hosts=web.hosts,
            # Mail by HTTP has its token.
            open_paths=(health.LIVEZ, health.READYZ, send.PATH),
            user=web.user,
            verify=_verify(hashed) if hashed else None,
        )
        parts = self._parts(server, stopping, may_write=bool(hashed))
        return site.site(parts, guard=guard, trouble=trouble, metrics=metrics)

    def _parts(
        self, server: Server, stopping: asyncio.Event, *, may_write: bool
    ) -> Parts:
        from relay.web import site
        from relay.web.send import HttpIntake

        settings = self._settings
        token = config.revealed(settings.intake.token)
        request = server.request

        def parameters(mail: Mail) -> dict[str, Any]:
            found = request_for(mail, request)
            del found["Content"]
            return found

        return site.Parts(
            about=site.About(
                transport=settings.transport,
                queue=settings.queue.engine,
                region=_region(settings),
                listeners=server.addresses,
                usage_header=settings.usage_header,
                usages=self._templates.usages,
            ),
            journal=self._journal,
            stats=self.stats,
            templates=self._templates,
            inbox=self._inbox,
            parameters=parameters,
            accept=server.accept,
            may_write=may_write or self._inbox is not None,
            spool=config.spool_path(settings) if server.queue is not None else None,
            give_up_after=settings.queue.give_up_after,
            stopping=stopping.is_set,
            intake=HttpIntake(
                token=token,
                accept=server.accept,
                awaited=self._awaited,
                answer_within=settings.queue.answer_within,
            )
            if token
            else None,
        )


class Server:
    """Begins the servers of a `Watch` once the listeners serve."""

    name = "web"

    def __init__(
        self,
        watch: Watch,
        accept: Accept,
        request: RequestSettings,
        listening: Sequence[socket.socket],
        queue: SqliteQueue | None,
        is_open: Callable[[], bool],
        stack: AsyncExitStack,
    ) -> None:
        self._watch = watch
        self.accept = accept
        self.request = request
        self.listening = listening
        self.addresses = [sockets.shown(one) for one in listening]
        self.queue = queue
        self.is_open = is_open
        self.stack = stack

    async def run(self, stopping: asyncio.Event) -> None:
        """Begin, and leave the rest to the stack: the page shows the stop, too."""
        if self._watch.serves:
            await self._watch.begin(self, stopping)
        await stopping.wait()


def figures(
    doorkeeper: Doorkeeper,
    pace: Pace,
    account: AccountPace | None,
    queue: SqliteQueue | None,
    gate: Gate | None,
) -> Callable[[], Now]:
    """How things stand, asked of the parts that know."""

    def now() -> Now:
        waiting = sending = oldest = None
        if queue is not None:
            found = queue.figures()
            waiting, sending = found.waiting, found.sending
            if found.oldest is not None and waiting:
                oldest = max(queue.now() - found.oldest, 0.0)
        # SES says -1 where there is no limit.
        quota = None if account is None else account.quota
        per_day = quota.per_day if quota is not None else None
        return Now(
            quota=per_day if per_day is None or per_day > 0 else None,
            quota_used=quota.used if quota is not None else None,
            waiting=waiting,
            sending=sending,
            oldest=oldest,
            rate=pace.rate,
            full_rate=pace.full,
            connections=doorkeeper.open,
            memory=doorkeeper.memory.used,
            memory_limit=doorkeeper.memory.limit,
            paused="" if gate is None else gate.paused,
        )

    return now


def _trouble(server: Server, stopping: asyncio.Event) -> Callable[[], Awaitable[str]]:
    """What stands in the way of taking mail and keeping it."""

    async def trouble() -> str:
        if stopping.is_set():
            return "stopping"
        if not all(map(sockets.listens, server.listening)):
            return "a listener is down"
        if not server.is_open():
            return "starting"
        if server.queue is not None:
            try:
                await server.queue.check()
            except Unwritable:
                return "the spool cannot be written"
        return ""

    return trouble


def _verify(hashed: str) -> Verify:
    async def verify(given: str) -> bool:
        return await asyncio.to_thread(password.matches, hashed, given.encode())

    return verify


def _subject(mail: Mail) -> str:
    """The subject that a captured mail has."""
    found = parse(header_of(mail.content)).first("subject")
    return decoded(found.value)[:500] if found else ""


def _subject_of(templates: Templates) -> Callable[[Mail], str]:
    """Subjects with their placeholders still in them: codes stand in subjects, too.

    Of mail without a template nothing is shown; it would be content.
    """
    known = {(one.usage, one.locale): one.source.subject[:500] for one in templates.all}

    def subject(mail: Mail) -> str:
        return known.get((mail.choice.template, mail.choice.locale), "")

    return subject


def _region(settings: config.Config) -> str:
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    found = (os.environ.get(name, "") for name in names)
    return settings.ses.region or next(filter(None, found), "")
