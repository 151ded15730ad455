"""`relay serve`: run the relay."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from relay import config, log
from relay.app import serve
from relay.cli import settings, terminal
from relay.system.process import CannotStart, CannotStartNow, Hangups
from relay.system.seen import Seen

if TYPE_CHECKING:  # it comes after the first greeting
    from relay.capture.inbox import Captured


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    settings.add(parser)
    parser.add_argument(
        "--capture",
        action="store_true",
        help="nothing leaves the machine; sample templates where none are set",
    )
    parser.add_argument(
        "--show",
        action="store_true",
        help="print each captured mail with its SendEmail parameters to stdout",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    return run_as(options, lambda settings: settings)


def run_as(
    options: argparse.Namespace, shaped: Callable[[config.Config], config.Config]
) -> int:
    """Serve until a signal by the settings as `shaped` makes them.

    It raises ConfigError for those that cannot be.
    """
    hangups, seen = Hangups(), Seen()  # before the settings are read
    chosen = settings.to_serve(options, capture=options.capture, note=seen.note)
    if chosen is None:
        return 2
    try:
        chosen = shaped(chosen)
    except config.ConfigError as error:
        settings.complain(str(error))
        return 2
    file, streams = chosen.file, seen.streams

    def read(seen: Seen) -> config.Config:
        """The settings as they are now. Raises ConfigError."""
        for path in streams:
            raise config.ConfigError(
                f"{path}: is a pipe, which brings its text once; restart the relay "
                "to have other settings"
            )
        return shaped(
            config.load(file, os.environ, capture=options.capture, note=seen.note)
        )

    captures = chosen.transport == "capture"
    if options.show and not captures:
        settings.complain('--show: only with --capture, or transport = "capture"')
        return 2
    people = sys.stderr.isatty() and chosen.log.format == "auto"
    shape = terminal.TerminalLines(
        colour=terminal.colours(sys.stderr), told=people and sys.stdout.isatty()
    )
    set_up_log = partial(log.setup, for_people=shape)
    set_up_log(format=chosen.log.format, level=chosen.log.level)
    tell = partial(_tell_people, shape) if people and sys.stdout.isatty() else _tell
    try:
        if captures:
            print("relay captures mail and sends nothing", file=sys.stderr, flush=True)
        if password := config.generated_password(chosen):
            # Made for this run, and known to who reads this alone.
            user = log.escaped(chosen.web.user)
            print(
                f"the page's user is {user}, its password {password}", file=sys.stderr
            )
        asyncio.run(
            serve.serve(
                chosen,
                captured=partial(_show, tell) if options.show else tell,
                samples_too=options.capture,
                seen=seen,
                read=read,
                hangups=hangups,
                set_up_log=set_up_log,
            )
        )
    except CannotStart as error:
        return _cannot_start(error)
    except TimeoutError:
        log.line(logging.ERROR, "stopped with work cut off")
        return 3
    except ExceptionGroup as group:
        if (unusable := group.subgroup(CannotStart)) is not None:
            return _cannot_start(unusable.exceptions[0])
        for broken in group.exceptions:
            log.broken("a part broke", broken)
        return 4
    return 0


def _cannot_start(error: Exception) -> int:
    """Say why; 4 where the same start may work later, so that it is tried again."""
    settings.complain(str(error))
    return 4 if isinstance(error, CannotStartNow) else 2


def _tell(captured: Captured) -> None:
    choice = captured.mail.choice
    print(
        f"captured {captured.id}",
        log.escaped(f"usage={choice.usage or '-'}"),
        log.escaped(f"template={choice.template or '-'}"),
        f"to={','.join(captured.mail.envelope.recipients)}",
        f"size={len(captured.mail.content)}",
        log.escaped(f"subject={json.dumps(captured.subject, ensure_ascii=False)}"),
        flush=True,
    )


def _tell_people(shape: terminal.TerminalLines, captured: Captured) -> None:
    mail = captured.mail
    fields = {
        "recipients": mail.envelope.recipients,
        "usage": mail.choice.usage or "-",
        "template": mail.choice.template or "-",
        "subject": captured.subject or "(no subject)",
    }
    print(shape.captured(captured.id, fields), end="", flush=True)


def _show(tell: Callable[[Captured], None], captured: Captured) -> None:
    tell(captured)
    parameters = json.dumps(captured.parameters, indent=2, ensure_ascii=False)
    content = captured.mail.content.decode("utf-8", "replace").replace("\r\n", "\n")
    # A mail must not steer the terminal that it is shown on.
    print(log.escaped(parameters, keep="\n"))
    print(log.escaped(content, keep="\t\n"))
    print(flush=True)
