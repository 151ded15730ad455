"""`relay serve`: run the relay."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from typing import TYPE_CHECKING

from relay import log
from relay.app import serve
from relay.cli import settings
from relay.system.process import CannotStart, CannotStartNow

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
    chosen = settings.to_serve(options, capture=options.capture)
    if chosen is None:
        return 2
    captures = chosen.transport == "capture"
    if options.show and not captures:
        settings.complain('--show: only with --capture, or transport = "capture"')
        return 2
    log.setup(format=chosen.log.format, level=chosen.log.level)
    try:
        if captures:
            print("relay captures mail and sends nothing", file=sys.stderr, flush=True)
        asyncio.run(
            serve.serve(
                chosen,
                captured=_show if options.show else _tell,
                samples_too=options.capture,
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


def _show(captured: Captured) -> None:
    _tell(captured)
    parameters = json.dumps(captured.parameters, indent=2, ensure_ascii=False)
    content = captured.mail.content.decode("utf-8", "replace").replace("\r\n", "\n")
    # A mail must not steer the terminal that it is shown on.
    print(log.escaped(parameters, keep="\n"))
    print(log.escaped(content, keep="\t\n"))
    print(flush=True)
