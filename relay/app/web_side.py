"""What looks at the relay: counters, stories, the page, probes; built from settings.

`mail_side` tells it of the parts that do the work; nothing of them knows of it.
aiohttp takes long to import, so the servers begin after the listeners, and a relay
that serves neither page nor probes never imports it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from relay import config, password
from relay.app.figures import trouble
from relay.app.guard import in_words as guard_in_words
from relay.app.places import DROPPED, Places
from relay.app.rules import one_rule
from relay.content.encoded_words import decoded
from relay.content.header import header_of, normalise, parse
from relay.intake.in_hand import InHand, Submit
from relay.model.mail import Mail
from relay.model.replies import MAX_HEADER_BYTES, no_usage
from relay.model.submission import Submission
from relay.observe.events import Event
from relay.observe.stats import Stats
from relay.rules.shape import address_shape, shape
from relay.ses.parameters import RequestSettings, request_for
from relay.system import sockets
from relay.templates.catalog import Templates

if TYPE_CHECKING:  # not every relay needs them, or aiohttp and SQLite behind them
    from relay.capture.inbox import Inbox
    from relay.observe.journal import Journal
    from relay.observe.unclaimed import Unclaimed
    from relay.queue.sqlite import SqliteQueue
    from relay.web.guard import Verify
    from relay.web.metrics import Metrics
    from relay.web.site import Parts


class WebSide:
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
        places: Places,
    ) -> None:
        self._settings = settings
        self._templates = templates
        self._inbox = inbox
        self._captures = settings.transport == "capture"
        self.stats = Stats(
            usages=templates.usages, several_accounts=bool(settings.accounts)
        )
        self.in_hand = InHand()
        self._page = page
        self._health = health
        self._places = places

    @cached_property
    def _journal(self) -> Journal:
        from relay.observe.journal import Journal

        if self._captures:
            return Journal(subject=_subject, taken="captured")
        return Journal(subject=_subject_of(self._templates))

    @cached_property
    def _unclaimed(self) -> Unclaimed:
        from relay.observe.unclaimed import Unclaimed

        kind_of = _by_sender if self._inbox is None else _by_subject
        reply = no_usage(self._settings.usage_header).reply
        return Unclaimed(kind_of, no_usage=reply)

    @property
    def serves(self) -> bool:
        """Whether anybody could ask."""
        return bool(self._settings.web.listen or self._settings.health.listen)

    @property
    def observers(self) -> list[Callable[[Event], None]]:
        """Who is to be told of what happens to mail."""
        if not self._settings.web.listen:
            return [self.stats] if self.serves else []
        return [self.stats, self._journal, self._unclaimed, self.in_hand]

    def server(
        self,
        *,
        accept: Submit,
        request: Mapping[str, RequestSettings],
        listening: Sequence[socket.socket],
        queue: SqliteQueue | None,
        is_open: Callable[[], bool],
        stack: AsyncExitStack,
    ) -> WebServers:
        """The service that begins the servers; they end with `stack`, after all else.

        `request` has what each account's calls carry, `listening` are the sockets that
        clients of SMTP connect to, `is_open` tells whether all ways to SES are open.
        """
        return WebServers(self, accept, request, listening, queue, is_open, stack)

    async def begin(
        self,
        server: WebServers,
        stopping: asyncio.Event,
    ) -> None:
        """Serve the page and the probes from here on."""
        await asyncio.to_thread(import_module, "relay.web.site")
        if stopping.is_set():
            return
        from relay.web import site
        from relay.web.metrics import Metrics
        from relay.web.server import served

        settings = self._settings
        metrics = Metrics(
            self.stats, transport=settings.transport, queue=settings.queue.engine
        )
        found = trouble(stopping, server.listening, server.is_open, server.queue)
        if self._health:
            probes = site.probes(found, metrics)
            most = self._places.probes
            await server.stack.enter_async_context(
                served(probes, self._health, name="health", most=most, passing=DROPPED)
            )
        if self._page:
            page = self._site(server, stopping, found, metrics)
            most = self._places.page
            await server.stack.enter_async_context(
                served(page, self._page, name="web", most=most, passing=DROPPED)
            )

    def _site(
        self,
        server: WebServers,
        stopping: asyncio.Event,
        found: Callable[[], Awaitable[str]],
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
            open_paths=(health.LIVEZ, health.READYZ, send.PATH, send.WITH_SLASH),
            user=web.user,
            verify=_verify(hashed) if hashed else None,
        )
        parts = self._parts(server, stopping, may_write=bool(hashed))
        return site.site(parts, guard=guard, trouble=found, metrics=metrics)

    def _parts(
        self, server: WebServers, stopping: asyncio.Event, *, may_write: bool
    ) -> Parts:
        from relay.web import site
        from relay.web.send import HttpIntake

        settings = self._settings
        token = config.revealed(settings.intake.token)
        request = server.request

        def parameters(mail: Mail) -> dict[str, Any]:
            # An account that is gone: as [ses] says.
            by = request.get(mail.options.account, request[""])
            found = request_for(mail, by)
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
                guard=guard_in_words(settings),
            ),
            journal=self._journal,
            stats=self.stats,
            unclaimed=self._unclaimed,
            compiled=one_rule,
            templates=self._templates,
            inbox=self._inbox,
            parameters=parameters,
            accept=server.accept,
            in_hand=self.in_hand,
            may_write=may_write or self._captures,
            spool=config.spool_path(settings) if server.queue is not None else None,
            give_up_after=settings.queue.give_up_after,
            stopping=stopping.is_set,
            intake=HttpIntake(
                token=token,
                accept=server.accept,
                in_hand=self.in_hand,
                answer_within=settings.queue.answer_within,
            )
            if token
            else None,
        )


class WebServers:
    """Begins the servers of a `WebSide` once the listeners serve."""

    name = "web"

    def __init__(
        self,
        web: WebSide,
        accept: Submit,
        request: Mapping[str, RequestSettings],
        listening: Sequence[socket.socket],
        queue: SqliteQueue | None,
        is_open: Callable[[], bool],
        stack: AsyncExitStack,
    ) -> None:
        self._web = web
        self.accept = accept
        self.request = request
        self.listening = listening
        self.addresses = [sockets.shown(sock) for sock in listening]
        self.queue = queue
        self.is_open = is_open
        self.stack = stack

    async def run(self, stopping: asyncio.Event) -> None:
        """Begin, and at the stop wait for the mail that came in by HTTP.

        The servers' end is left to the stack: the page shows the stop, too.
        """
        if self._web.serves:
            await self._web.begin(self, stopping)
        await stopping.wait()
        await self._web.in_hand.drained()


def _verify(hashed: str) -> Verify:
    async def verify(given: str) -> bool:
        return await asyncio.to_thread(password.matches, hashed, given.encode())

    return verify


def _subject(mail: Mail) -> str:
    """The subject that a captured mail has."""
    return _subject_in(mail.content)


def _subject_in(content: bytes) -> str:
    found = parse(header_of(content)).first("subject")
    return decoded(found.value)[:500] if found else ""


def _by_subject(submission: Submission) -> str:
    """The kind of a mail where contents may be seen."""
    return shape(_subject_in(normalise(submission.content[:MAX_HEADER_BYTES])))


def _by_sender(submission: Submission) -> str:
    """The kind of a mail where they may not."""
    return _sender_shape(submission.envelope.sender or "<>")


_sender_shape = lru_cache(1000)(address_shape)


def _subject_of(templates: Templates) -> Callable[[Mail], str]:
    """Subjects with their placeholders still in them: codes stand in subjects, too.

    Of mail without a template nothing is shown; it would be content.
    """
    known = {
        (template.usage, template.locale): template.source.subject[:500]
        for template in templates.all
    }

    def subject(mail: Mail) -> str:
        return known.get((mail.choice.template, mail.choice.locale), "")

    return subject


def _region(settings: config.Config) -> str:
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    found = (os.environ.get(name, "") for name in names)
    return settings.ses.region or next(filter(None, found), "")
