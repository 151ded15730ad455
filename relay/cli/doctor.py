"""`relay doctor`: all that can be found out from here, on a page for a ticket.

`relay check --online`, and whether mail gets in and out. No secret stands in it, and of
an address its first letter and domain.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from relay import __version__, config
from relay.app import ses_side
from relay.app.books import open_book
from relay.cli import check, duration, machine, settings, way_in
from relay.cli.finding import Finding, Level
from relay.content.moment import shown
from relay.log import escaped, masked, without_logins
from relay.queue import file
from relay.queue.selection import Selection
from relay.system.process import CannotStart
from relay.templates.catalog import Templates

_MARKS: Mapping[Level, str] = {"ok": "OK", "warning": "WARN", "problem": "FAIL"}
OLD = 3600.0  # seconds that mail waits before it is worth a warning


@dataclass(frozen=True, slots=True)
class Part:
    """A heading of the page, and what was found below it."""

    name: str
    findings: Sequence[Finding]


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    settings.add(parser)
    parser.add_argument("--json", action="store_true", help="the same, for programs")


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 when something fails."""
    parts = [
        Part(part.name, [_for_others(one) for one in part.findings])
        for part in _parts(options)
    ]
    levels = [one.level for part in parts for one in part.findings]
    at = shown(time.time())
    if options.json:
        found = [
            {"part": part.name, "level": one.level, "text": one.text}
            for part in parts
            for one in part.findings
        ]
        print(json.dumps({"relay": __version__, "time": at, "findings": found}))
    else:
        print(f"relay doctor at {at}")
        for part in parts:
            print(f"\n{part.name}")
            for one in part.findings:
                print(f"  {_MARKS[one.level]:<4}  {one.text}")
        counts = Counter(levels)
        counted = [f"{counts[level]} {mark}" for level, mark in _MARKS.items()]
        print(f"\n{', '.join(counted)}")
    return 1 if "problem" in levels else 0


def _for_others(finding: Finding) -> Finding:
    text = escaped(masked(without_logins(finding.text)))
    return Finding(finding.level, text)


def _parts(options: argparse.Namespace) -> Iterator[Part]:
    yield Part("machine", [Finding("ok", line) for line in machine.described()])
    chosen = _settings(options)
    if not isinstance(chosen, config.Config):
        yield Part("settings", chosen)
        return
    templates: Templates | None = None
    try:
        templates, found = check.offline(chosen)
    except CannotStart as error:
        found = [Finding("problem", str(error))]
    yield Part("settings", found)
    yield Part("way in", way_in.way_in(chosen))
    yield Part("way out", asyncio.run(_way_out(chosen, templates)))
    if chosen.queue.engine == "sqlite":
        yield Part("queue", _queue(chosen))


def _settings(options: argparse.Namespace) -> config.Config | list[Finding]:
    """The settings, or why there are none."""
    if not settings.any_set(options):
        return [Finding("problem", settings.NOTHING_SET)]
    try:
        return config.load(config.find(options.config, os.environ), os.environ)
    except config.ConfigError as error:
        return [Finding("problem", line) for line in str(error).splitlines()]


async def _way_out(chosen: config.Config, templates: Templates | None) -> list[Finding]:
    """Each account's endpoint, and what AWS says of the settings."""
    if chosen.transport == "capture":
        return [Finding("ok", 'transport = "capture": nothing leaves')]
    from relay.cli.way_out import way_out

    found = []
    for account in config.accounts(chosen):
        of = f"account {account.name}: " if account.key else ""
        seen = await way_out(ses_side.client_settings(account.ses))
        found += [Finding(one.level, f"{of}{one.text}") for one in seen]
    if templates is not None:
        found += await check.online(chosen, templates)
    return found


def _queue(chosen: config.Config) -> list[Finding]:
    """How much is in it; whether it can be written to, `check` says."""
    if not config.spool_path(chosen).exists():
        return [Finding("ok", "there is no spool yet; a relay makes it")]
    try:
        with open_book(chosen, write=False) as book:
            counts = {
                state: book.count(Selection(states=(state,)))[1]
                for state in ("queued", "sending", "sent", "failed")
            }
            due = Selection(states=("queued",), later=False, limit=1)
            ages = [book.now() - one.job.accepted_at for one in book.entries(due)]
    except (file.UnusableSpool, OSError) as error:
        return [Finding("problem", str(error))]
    text = ", ".join(f"{number} {state}" for state, number in counts.items())
    found = [Finding("ok", f"mails: {text}")]
    if ages and ages[0] > OLD:
        text = f"the oldest mail that waits came {duration.short(ages[0])} ago"
        found.append(
            Finding("warning", f"{text}; relay queue list says what SES answered")
        )
    return found
