"""Reads the settings again, and puts them in force whole or not at all.

At SIGHUP, and when a file changes that the set in force was read from. Read and checked
in a thread; the swap is one step of the loop, between two mails.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from relay import config, log
from relay.app.doors import Door
from relay.app.front import Front, certificate, tell_of
from relay.app.in_force import InForce, changed, in_force, tell_warnings
from relay.app.mail_side import MailSide, settle_memory
from relay.config import restart
from relay.system import process
from relay.system.process import CannotStart
from relay.system.seen import Seen

LOOKS_EVERY = 2.0  # seconds
# Who writes a file may not be done with it: it is read once it stands still for this
# long, or after so many looks.
STANDS_STILL, LOOKS_AT_MOST = 0.1, 20
# Seconds after which a thread lets another on: Python's own 5 ms would be waited for
# again and again by each mail.
TURN = 0.0005


class SetUpLog(Protocol):
    """Begins the log anew, as the settings want it."""

    def __call__(self, *, format: str, level: str) -> None: ...  # noqa: A002


class _Read(NamedTuple):
    """A new set, what of its settings is taken over, and which of them are others."""

    now: InForce
    taken: restart.TakenOver
    changed: list[str]


class Reload:
    """Looks and listens for changed settings until told to stop.

    `read` reads the settings, and tells what it is given of each file. `hangup` is set
    by SIGHUP.
    """

    name = "reload"

    def __init__(
        self,
        mail_side: MailSide,
        front: Front,
        *,
        read: Callable[[Seen], config.Config],
        samples_too: bool,
        hangup: asyncio.Event,
        set_up_log: SetUpLog,
    ) -> None:
        self._mail_side = mail_side
        self._front = front
        self._read = read
        self._samples_too = samples_too
        self._hangup = hangup
        self._set_up_log = set_up_log
        self._watched = mail_side.in_force.seen

    async def run(self, stopping: asyncio.Event) -> None:
        """Read again whenever there is a reason."""
        looking = asyncio.create_task(self._look_and_listen(stopping))
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([looking, stop], return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
        finally:
            looking.cancel()
            stop.cancel()
            await asyncio.gather(looking, stop, return_exceptions=True)

    async def _look_and_listen(self, stopping: asyncio.Event) -> None:
        await self._mail_side.opened()  # one start after the other
        while True:
            mode = self._mail_side.in_force.settings.reload
            try:
                async with asyncio.timeout(LOOKS_EVERY if mode == "auto" else None):
                    await self._hangup.wait()
            except TimeoutError:
                if await asyncio.to_thread(self._has_changed):
                    await self._reload(stopping)
                continue
            self._hangup.clear()
            if mode == "never":
                log.line(
                    logging.WARNING, "not reloaded", reason='reload = "never": restart'
                )
            else:
                await self._reload(stopping, asked=True)

    def _has_changed(self) -> bool:
        """Tell whether a file has changed, once nobody seems to write any more."""
        if not self._watched.changed:
            return False
        for _ in range(LOOKS_AT_MOST):
            now = Seen()
            for path in self._watched.files:
                now.note(path)
            time.sleep(STANDS_STILL)
            if not now.changed:
                break
        return True

    async def _reload(self, stopping: asyncio.Event, *, asked: bool = False) -> None:
        """Read, and take what is good; `asked`: somebody waits to hear of it."""
        before = self._mail_side.in_force
        process.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        seen, as_it_was = Seen(), Seen()
        try:
            with _short_turns():
                found = await asyncio.to_thread(self._whole, before, seen, as_it_was)
                accounts = config.accounts(found.now.settings)
                opened = await self._mail_side.doors.opened(accounts)
        except (CannotStart, config.ConfigError) as error:
            self._refuse(str(error), seen, as_it_was, asked=asked)
        except Exception as error:  # noqa: BLE001 - no settings stop a relay that runs
            log.broken("reading settings broken", error)
            mistake = f"the relay broke on them ({type(error).__name__}), see the log"
            self._refuse(mistake, seen, as_it_was, asked=asked)
        else:
            self._watched = seen
            if not stopping.is_set() and (asked or self._is_news(found)):
                self._swap(before, found, opened)
                settle_memory()
            else:
                for door in opened:
                    await door.stack.aclose()
        finally:
            if not stopping.is_set():
                process.notify("READY=1")

    def _is_news(self, found: _Read) -> bool:
        """Tell whether there is something to say; else the set is what it was."""
        read = self._mail_side.read
        waits = found.taken.needs_restart != read.needs_restart
        return bool(found.changed or read.mistake or waits)

    def _whole(self, before: InForce, seen: Seen, as_it_was: Seen) -> _Read:
        """The new set, checked as at the start. Raises CannotStart and ConfigError."""
        for path in before.seen.files:
            as_it_was.note(path)
        taken = restart.taken_over(before.settings, self._read(seen))
        settings = taken.settings
        shown = certificate(settings, seen.note, before.certificate)
        if settings.users:
            import relay.smtp.logins  # noqa: F401 - which the loop need not wait for
        now = in_force(
            settings, shown, seen, samples_too=self._samples_too, before=before
        )
        return _Read(now, taken, changed(before, now))

    def _refuse(
        self, mistake: str, seen: Seen, as_it_was: Seen, *, asked: bool
    ) -> None:
        """Keep the last good set, and say why; what was said once is not said again."""
        # What was not read this time is looked at as well: it may be what mends it.
        seen.add(as_it_was)
        self._watched = seen
        read = self._mail_side.read
        if asked or read.mistake != mistake:
            log.line(
                logging.ERROR,
                "not reloaded",
                reason=mistake,
                cure="the last good settings hold until these are changed again",
            )
        read.mistake = mistake
        process.notify("STATUS=The settings have a mistake; the last good ones hold.")

    def _swap(self, before: InForce, found: _Read, opened: Sequence[Door]) -> None:
        """Put the new set in force: nothing else happens meanwhile."""
        now, taken = found.now, found.taken
        mail_set = self._mail_side.take(now, opened)
        self._front.take(now, mail_set.accept)
        logs = now.settings.log
        if logs != before.settings.log:
            self._set_up_log(format=logs.format, level=logs.level)
        read = self._mail_side.read
        read.hash, read.at, read.mistake = now.hash, now.at, ""
        read.needs_restart = taken.needs_restart
        log.line(
            logging.INFO,
            "reloaded",
            changed=found.changed,
            settings=now.hash,
        )
        if taken.needs_restart:
            log.line(
                logging.WARNING,
                "needs a restart",
                settings=list(taken.needs_restart),
                detail=taken.detail,
            )
        if now.certificate is not before.certificate:
            tell_of(now.certificate)
        tell_warnings(now.warnings, before.warnings)
        if not self._mail_side.doors.untracks:
            tell_warnings(now.tracked, before.tracked)
        process.notify(f"STATUS=Settings {now.hash} are in force.")


@contextmanager
def _short_turns() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
