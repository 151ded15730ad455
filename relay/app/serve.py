"""Build the relay from the settings, run all of it, stop it in order.

The front comes first, with all that has to hold before a client is greeted. What
becomes of mail, templates and spool included, is built in `mail_side` once the
listeners serve, and mail waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from relay import config, log
from relay.app.binder import Binder, health_sockets, page_sockets
from relay.app.front import Front, certificate, tell_of
from relay.app.places import places
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.system import open_files, process, sockets
from relay.system.process import CannotStart, CannotStartNow, Hangups
from relay.system.seen import Seen

if TYPE_CHECKING:  # what these bring with them comes after the first greeting
    from relay.app.in_force import InForce
    from relay.app.mail_side import MailSide
    from relay.app.reload import SetUpLog
    from relay.capture.inbox import Captured

# What Python would have for two cores.
DEFAULT_THREADS = 6


async def serve(
    settings: config.Config,
    *,
    captured: Callable[[Captured], None],
    samples_too: bool = False,
    seen: Seen,
    read: Callable[[Seen], config.Config],
    hangups: Hangups,
    set_up_log: SetUpLog,
) -> None:
    """Run the relay until a signal; `captured` is told of each captured mail.

    `samples_too`: with sample templates where the settings have none. `seen` are the
    files that the settings were read from, `read` reads them again, and `set_up_log`
    is told how the log is to be. Raises CannotStart, TimeoutError when work had to be
    cut off, and an ExceptionGroup when a part broke; CannotStart after the listeners
    opened is inside such a group.
    """
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        stopping, hangup = asyncio.Event(), asyncio.Event()
        stack.enter_context(hangups.told_to(hangup))
        open_files.tell_once(loop)
        room = places(settings)
        behind: asyncio.Future[MailSide] = loop.create_future()

        async def accept(submission: Submission, left: Callable[[], bool]) -> Reply:
            # Shielded: who gives up waiting must not end it for the others.
            mail_side = (
                behind.result() if behind.done() else await asyncio.shield(behind)
            )
            return await mail_side.accept(submission, left)

        shown = certificate(settings, seen.note)
        tell_of(shown)
        front = Front(
            settings, shown, room, accept=accept, stopping=stopping, stack=stack
        )
        binder = Binder(stack)
        try:
            await front.bind(settings, binder)
            page = await page_sockets(settings, binder)
            health = await health_sockets(settings, binder)
        except sockets.CannotListenNow as error:
            raise CannotStartNow(str(error)) from error
        except sockets.CannotListen as error:
            raise CannotStart(str(error)) from error

        async def work() -> Sequence[process.Service]:
            from relay.system.threads import Threads

            # For what goes to a thread and has none of its own: the page, the start.
            loop.set_default_executor(Threads("default", DEFAULT_THREADS))

            def whole() -> InForce:
                """The first set, after the import of all that works on mail."""
                from relay.app import in_force, mail_side, reload  # noqa: F401

                if settings.queue.engine != "none":
                    from relay.app import queue_side  # noqa: F401
                if settings.queue.engine == "sqs":
                    from relay.app import fleet_side  # noqa: F401
                if settings.events.url:
                    from relay.app import events_side  # noqa: F401
                return in_force.in_force(settings, shown, seen, samples_too=samples_too)

            # In a thread, so that whoever comes meanwhile is greeted at once.
            first = await asyncio.to_thread(whole)
            from relay.app.mail_side import MailSide
            from relay.app.reload import Reload

            queue = None
            if settings.queue.engine != "none":
                from relay.app.queue_side import spool

                queue = await spool(settings, stack)
            mail_side = MailSide(
                first,
                queue=queue,
                doorkeeper=front.doorkeeper,
                page=page,
                health=health,
                places=room,
                listening=front.listening,
                captured=captured,
                stack=stack,
            )
            if stopping.is_set():
                mail_side.stop_within(settings.grace)
            front.suppression = mail_side.suppression
            behind.set_result(mail_side)
            reload = Reload(
                mail_side,
                front,
                read=read,
                samples_too=samples_too,
                hangup=hangup,
                set_up_log=set_up_log,
            )
            services: list[process.Service] = [*mail_side.services, reload]
            if os.environ.get("WATCHDOG_USEC"):
                from relay.system import watchdog

                if (asked_for := watchdog.asked_for()) is not None:
                    services.append(asked_for)
            return services

        def grace() -> float:
            now = behind.result().in_force.settings if behind.done() else settings
            return now.grace

        def on_stop() -> None:
            log.line(logging.INFO, "stopping", grace=grace())
            process.notify("STOPPING=1")
            if behind.done():
                behind.result().stop_within(grace())

        await process.run_until_signal(
            front.listeners, work, stopping=stopping, grace=grace, on_stop=on_stop
        )
    log.line(logging.INFO, "stopped")
