"""What looks at the relay: counters, stories, the page, probes; built from settings.

`mail_side` tells it of the parts that do the work; nothing of them knows of it.
aiohttp takes long to import, so the servers begin after the listeners, and a relay
that serves neither page nor probes never imports it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from relay import config, password
from relay.app import subjects, suppression
from relay.app.books import opener, spool_of
from relay.app.figures import trouble
from relay.app.guard import in_words as guard_in_words
from relay.app.guard import keeps
from relay.app.in_force import InForce
from relay.app.places import DROPPED, Places
from relay.app.rules import one_rule
from relay.app.ses_side import region
from relay.intake.in_hand import InHand, Submit
from relay.model.mail import Mail
from relay.model.replies import no_usage
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import Event, NotTaken
from relay.observe.settings_read import SettingsRead
from relay.observe.stats import Stats
from relay.ses.parameters import request_for
from relay.system import sockets

if TYPE_CHECKING:  # not every relay needs them, or aiohttp and SQLite behind them
    from relay.app.mail_set import MailSet
    from relay.capture.inbox import Inbox
    from relay.capture.originals import Originals
    from relay.observe.asked import Asked
    from relay.observe.journal import Journal
    from relay.observe.unclaimed import Unclaimed
    from relay.queue import Spool
    from relay.web.guard import Guard, Verify
    from relay.web.metrics import Metrics
    from relay.web.send import HttpIntake
    from relay.web.site import Parts


class WebSide:
    """The observers of one relay, and the servers that show what they saw."""

    name = "web"

    def __init__(
        self,
        first: InForce,
        read: SettingsRead,
        *,
        inbox: Inbox,
        page: Sequence[socket.socket],
        health: Sequence[socket.socket],
        places: Places,
    ) -> None:
        settings = first.settings
        self._now = first
        self._read = read
        self._inbox = inbox
        self._captures = settings.transport == "capture"
        self._keeps = self._captures or keeps(settings)
        self._guard: Guard | None = None
        self._intake: HttpIntake | None = None
        self.stats = Stats(
            usages=first.templates.usages, several_accounts=bool(settings.accounts)
        )
        self.in_hand = InHand()
        self._page = page
        self._health = health
        self._places = places

    def take(self, now: InForce) -> None:
        """Show another set, and let those in whom it says."""
        settings = now.settings
        self._now = now
        self._keeps = self._keeps or keeps(settings)  # what was kept may be looked at
        self.stats.take(
            usages=now.templates.usages, several_accounts=bool(settings.accounts)
        )
        subjects.of_templates.cache_clear()
        if settings.web.listen:
            self._unclaimed.take(no_usage=no_usage(settings.usage_header).reply)
        if self._guard is not None:
            self._guard.take(**_who_may_ask(settings))
        if self._intake is not None:
            self._intake.take(
                token=config.revealed(settings.intake.token),
                answer_within=settings.queue.answer_within,
            )

    @property
    def may_write(self) -> bool:
        """Whether who asks may change something, too."""
        return self._captures or bool(
            config.revealed(self._now.settings.web.password_hash)
        )

    @cached_property
    def _journal(self) -> Journal:
        from relay.observe.journal import Journal

        if self._captures:
            return Journal(
                subject=subjects.subject, asked=self._asked, taken="captured"
            )
        return Journal(
            subject=lambda mail: subjects.subject_of(self._now.templates, mail),
            asked=self._asked,
            by_message_id=bool(self._now.settings.events.url),
        )

    def mail_of(self, message_id: str) -> MailId | None:
        """The mail that SES knows by this id, where it is remembered."""
        return self._journal.mail_of(message_id)

    @cached_property
    def _originals(self) -> Originals:
        from relay.capture.originals import Originals

        return Originals(captures=self._captures)

    def _asked(self, submission: Submission) -> Asked:
        from relay.app.asked import asked

        header = self._now.settings.usage_header
        return asked(submission, header, captures=self._captures)

    @cached_property
    def _unclaimed(self) -> Unclaimed:
        from relay.observe.unclaimed import Unclaimed

        kind_of = subjects.by_subject if self._keeps else subjects.by_sender
        reply = no_usage(self._now.settings.usage_header).reply
        return Unclaimed(kind_of, no_usage=reply)

    def turned_away(self, submission: Submission, reply: Reply) -> None:
        """A mail was refused before it was here: its story is that alone."""
        self._journal(NotTaken(submission, reply, 0.0))

    @property
    def serves(self) -> bool:
        """Whether anybody could ask."""
        settings = self._now.settings  # of which these two never change
        return bool(settings.web.listen or settings.health.listen)

    @property
    def observers(self) -> list[Callable[[Event], None]]:
        """Who is to be told of what happens to mail."""
        if not self._now.settings.web.listen:
            return [self.stats] if self.serves else []
        kept = [self._originals] if self._keeps else []
        return [self.stats, self._journal, self._unclaimed, self.in_hand, *kept]

    def server(
        self,
        *,
        accept: Submit,
        in_force: Callable[[], MailSet],
        listening: Sequence[socket.socket],
        queue: Spool | None,
        is_open: Callable[[], bool],
        stack: AsyncExitStack,
    ) -> WebServers:
        """The service that begins the servers; they end with `stack`, after all else.

        `in_force` gives the set that works on new mail, `listening` are the sockets
        that clients of SMTP connect to, `is_open` tells whether all ways to SES are
        open.
        """
        return WebServers(self, accept, in_force, listening, queue, is_open, stack)

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

        settings = self._now.settings
        metrics = Metrics(
            self.stats,
            transport=settings.transport,
            queue=settings.queue.engine,
            read=self._read,
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

        settings = self._now.settings
        self._guard = Guard(
            listen=config.host_and_port(settings.web.listen)[0],
            # Mail by HTTP has its token.
            open_paths=(health.LIVEZ, health.READYZ, send.PATH, send.WITH_SLASH),
            **_who_may_ask(settings),
        )
        parts = self._parts(server, stopping)
        return site.site(parts, guard=self._guard, trouble=found, metrics=metrics)

    def _parts(self, server: WebServers, stopping: asyncio.Event) -> Parts:
        from relay.web import site
        from relay.web.send import HttpIntake

        settings = self._now.settings

        def parameters(mail: Mail, mail_id: MailId) -> dict[str, Any]:
            request = server.in_force().request
            # An account that is gone: as [ses] says.
            by = request.get(mail.options.account, request[""])
            found = request_for(mail, by, mail_id)
            del found["Content"]
            return found

        def about() -> site.About:
            now = self._now
            return site.About(
                transport=now.settings.transport,
                queue=now.settings.queue.engine,
                region=region(now.settings),
                listeners=server.addresses,
                usage_header=now.settings.usage_header,
                usages=now.templates.usages,
                guard=guard_in_words(now.settings),
            )

        self._intake = HttpIntake(
            token=config.revealed(settings.intake.token),
            accept=server.accept,
            in_hand=self.in_hand,
            answer_within=settings.queue.answer_within,
        )
        return site.Parts(
            about=about,
            read=self._read,
            journal=self._journal,
            stats=self.stats,
            unclaimed=self._unclaimed,
            compiled=one_rule,
            templates=lambda: self._now.templates,
            inbox=self._inbox,
            originals=self._originals,
            keeps=lambda: self._keeps,
            parameters=parameters,
            accept=server.accept,
            forward=lambda mail, kept: server.in_force().forward(mail, kept),
            in_hand=self.in_hand,
            may_write=lambda: self.may_write,
            book=opener(settings, server.queue),
            spool=spool_of(settings, server.queue),
            give_up_after=lambda: self._now.settings.queue.give_up_after,
            stopping=stopping.is_set,
            intake=self._intake,
            suppression=suppression.pages(
                lambda: self._now.settings, server.queue, lambda: self.may_write
            ),
        )


class WebServers:
    """Begins the servers of a `WebSide` once the listeners serve."""

    name = "web"

    def __init__(
        self,
        web: WebSide,
        accept: Submit,
        in_force: Callable[[], MailSet],
        listening: Sequence[socket.socket],
        queue: Spool | None,
        is_open: Callable[[], bool],
        stack: AsyncExitStack,
    ) -> None:
        self._web = web
        self.accept = accept
        self.in_force = in_force
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


def _who_may_ask(settings: config.Config) -> dict[str, Any]:
    """What the page's guard is told of the settings."""
    web = settings.web
    hashed = config.revealed(web.password_hash)
    return {
        "hosts": web.hosts,
        "user": web.user,
        "verify": _verify(hashed) if hashed else None,
    }
