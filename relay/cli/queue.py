"""`relay queue`: what waits and what failed, beside running relays or without."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from relay.app.books import open_book
from relay.cli import duration, entries, progress, redrive, settings
from relay.content.address import with_ascii_domain
from relay.queue import file
from relay.queue.listing import Book, Change, ListedJob
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Selection
from relay.queue.shown import as_json

# What can be retried or dropped; other states are looked at only when they are named.
MOVABLE = ("queued", "failed")
OBSTACLES_NAMED = 20
NO_MATCH = "no such mail"

JSON = (
    "objects of id, state, usage, sender, recipients, size, attempts, acceptedAt, due, "
    "lastReply, maybeSent, priority, rule, messageId; times are ISO 8601 in UTC"
)
MANY = f"an array of {JSON}; a single object for one ID that is one call"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the five commands."""
    does = parser.add_subparsers(dest="does", metavar="COMMAND", required=True)

    listing = does.add_parser("list", help="what is in the spool, the oldest first")
    listing.add_argument("--json", action="store_true", help=f"an array of {JSON}")
    _add_filters(listing)

    show = does.add_parser("show", help="all about a mail, but for its content")
    show.add_argument(
        "ids", nargs="+", metavar="ID", help="as the log and replies name it"
    )
    show.add_argument("--json", action="store_true", help=MANY)

    retry = does.add_parser(
        "retry",
        help="try waiting mail now, and failed mail anew, for its whole time; what is "
        "to be sent later only by its ID",
    )
    drop = does.add_parser("drop", help="delete waiting and failed mail, for good")
    for command in (retry, drop):
        command.add_argument(
            "ids", nargs="*", metavar="ID", help="as the log and replies name it"
        )
        command.add_argument(
            "--all", action="store_true", help="all waiting and failed"
        )
        command.add_argument("--json", action="store_true", help=MANY)
        _add_filters(command)
    drop.add_argument(
        "--yes", action="store_true", help="do not ask before dropping more than one"
    )
    again = does.add_parser(
        "redrive",
        help='with queue.engine = "sqs": have all that waits looked at again, after a '
        "dead-letter queue filled, or a queue was purged or replaced",
    )
    again.add_argument(
        "--older-than",
        type=duration.seconds,
        default=0.0,
        metavar="TIME",
        help="since it was written: 90s, 10m, 2h, 3d",
    )
    again.add_argument("--json", action="store_true", help="an object of its figures")
    for command in (listing, show, retry, drop, again):
        settings.add(command)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("filters, which all have to match")
    group.add_argument(
        "--state",
        action="append",
        default=[],
        choices=entries.STATES,
        help="may be given more than once",
    )
    group.add_argument("--usage", help="its usage; '' for mail without one")
    group.add_argument(
        "--recipient",
        type=_recipient,
        default="",
        metavar="ADDRESS",
        help="one of its recipients, or a domain of one",
    )
    for option in ("--older-than", "--newer-than"):
        group.add_argument(
            option,
            type=duration.seconds,
            metavar="TIME",
            help="since it came: 90s, 10m, 2h, 3d",
        )
    group.add_argument(
        "--limit", type=_limit, metavar="N", help="the N oldest that match"
    )


def _recipient(text: str) -> str:
    local, at, domain = text.rpartition("@")
    try:
        ascii_domain = with_ascii_domain(f"x@{domain}").removeprefix("x@")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    return f"{local}{at}{ascii_domain}"


def _limit(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; 1 when a mail is not there or cannot be moved."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A usage may have letters that the terminal's encoding has not.
        sys.stdout.reconfigure(errors="replace")
    chosen = settings.load(options)
    if chosen is None:
        return 2
    command = f"relay queue {options.does}"
    if chosen.queue.engine == "none":
        settings.complain(
            f'{command}: queue.engine = "{chosen.queue.engine}": '
            "no mail waits here, so there is nothing to show or to move"
        )
        return 2
    if options.does == "redrive":
        return redrive.run(options, chosen)
    selection = _selection(options)
    moves = options.does in ("retry", "drop")
    if moves and not options.all and selection == Selection():
        settings.complain(f"{command}: which mail? Give IDs, filters, or --all")
        return 2
    if moves and options.all and options.ids:
        settings.complain(f"{command}: give IDs or --all, not both")
        return 2
    opened = False
    try:
        with open_book(chosen, write=moves) as ledger:
            opened = True
            match options.does:
                case "list":
                    return _list(ledger, selection, as_json=options.json)
                case "show":
                    return _show(ledger, selection, options)
                case "retry":
                    give_up_after = chosen.queue.give_up_after
                    return _retry(ledger, selection, options, give_up_after)
                case _:
                    return _drop(ledger, selection, options)
    except file.UnusableSpool as error:
        settings.complain(str(error))
        return 1 if opened else 2


def _selection(options: argparse.Namespace) -> Selection:
    if options.does == "show":
        return Selection(ids=tuple(options.ids))
    return Selection(
        ids=tuple(getattr(options, "ids", ())),
        states=tuple(options.state),
        usage=options.usage,
        recipient=options.recipient,
        older_than=options.older_than,
        newer_than=options.newer_than,
        limit=options.limit,
    )


def _list(ledger: Book, selection: Selection, *, as_json: bool) -> int:
    found = ledger.entries(selection)
    if as_json:
        _print_array(_objects(ledger, found))
        return 0
    table = entries.Table()
    now = ledger.now()
    number = 0
    for number, entry in enumerate(found, 1):
        if number == 1:
            print(table.head())
        print(table.line(entry, now))
    if not number:
        settings.complain("no mail" if selection == Selection() else NO_MATCH)
    return 0


def _show(ledger: Book, selection: Selection, options: argparse.Namespace) -> int:
    missing = set(selection.ids)
    found = _seen(ledger.entries(selection), missing)
    if options.json:
        _print_json(ledger, found, selection)
    else:
        for entry in found:
            print(entries.in_full(entry, ledger.unix, ledger.now()))
    return _complain_of(missing, options)


def _retry(
    ledger: Book,
    selection: Selection,
    options: argparse.Namespace,
    give_up_after: float,
) -> int:
    # To be sent later is no trouble, so that only who names it means it.
    selection = replace(_movable(selection), later=bool(selection.ids))
    total = ledger.count(selection)[0] if sys.stderr.isatty() else 0
    changes = ledger.retry(selection, give_up_after=give_up_after)
    return _report(ledger, selection, options, changes, total)


def _drop(ledger: Book, selection: Selection, options: argparse.Namespace) -> int:
    selection = _movable(selection)
    total, mails = ledger.count(selection)
    if mails > 1 and not options.yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            settings.complain(
                f"relay queue drop: that is {mails} mails, and they are gone then; "
                "say so with --yes"
            )
            return 2
        print(f"Drop {mails} mails for good? [y/N] ", end="", file=sys.stderr)
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            settings.complain("nothing was dropped")
            return 1
    return _report(ledger, selection, options, ledger.drop(selection), total)


def _movable(selection: Selection) -> Selection:
    """What a filter means that names no state: what can be moved at all."""
    if selection.ids or selection.states:
        return selection
    return replace(selection, states=MOVABLE)


def _report(
    ledger: Book,
    selection: Selection,
    options: argparse.Namespace,
    changes: Iterator[Change],
    total: int,
) -> int:
    """Do the work, and say what became of it."""
    missing = set(selection.ids)
    work = _Work(options.does)
    done = _seen(work.done(progress.shown(changes, total)), missing)
    if options.json:
        _print_json(ledger, done, selection)
    else:
        for _ in done:
            pass
        if work.mails or not (work.obstacles or missing):
            print(work)
    for text in work.obstacles:
        settings.complain(text)
    code = _complain_of(missing, options)
    return 1 if work.obstacles else code


class _Work:
    """Counts what is done; its text is what a person hears in the end."""

    def __init__(self, does: str) -> None:
        self._does = does
        self.calls = self.mails = 0
        self.obstacles: list[str] = []

    def done(self, changes: Iterable[Change]) -> Iterator[ListedJob]:
        before = None
        unsaid: dict[Obstacle, int] = {}
        for change in changes:
            mail_id = change.entry.job.id
            if change.obstacle is None:
                self.calls += 1
                self.mails += mail_id != before  # the calls of a mail follow each other
                before = mail_id
                yield change.entry
            elif len(self.obstacles) < OBSTACLES_NAMED:
                text = f"{mail_id}: cannot {self._does}: {change.obstacle.value}"
                if text not in self.obstacles[-1:]:
                    self.obstacles.append(text)
            else:
                unsaid[change.obstacle] = unsaid.get(change.obstacle, 0) + 1
        self.obstacles += [
            f"{number} more: cannot {self._does}: {obstacle.value}"
            for obstacle, number in unsaid.items()
        ]

    def __str__(self) -> str:
        did = {"retry": "retried", "drop": "dropped"}[self._does]
        mails = "1 mail" if self.mails == 1 else f"{self.mails} mails"
        calls = f" ({self.calls} calls)" if self.calls != self.mails else ""
        return f"{did} {mails}{calls}"


def _seen(found: Iterable[ListedJob], missing: set[str]) -> Iterator[ListedJob]:
    for entry in found:
        missing.discard(entry.job.id)
        yield entry


def _complain_of(missing: set[str], options: argparse.Namespace) -> int:
    for mail_id in dict.fromkeys(options.ids):
        if mail_id in missing:
            settings.complain(f"relay queue {options.does}: {mail_id}: {NO_MATCH}")
    return 1 if missing else 0


def _objects(ledger: Book, found: Iterable[ListedJob]) -> Iterator[str]:
    for entry in found:
        yield json.dumps(as_json(entry, ledger.unix))


def _print_json(ledger: Book, found: Iterable[ListedJob], selection: Selection) -> None:
    """An array; of one ID that is one call, its object."""
    objects = _objects(ledger, found)
    if len(selection.ids) != 1:
        _print_array(objects)
        return
    few = list(objects)
    if len(few) == 1:
        print(few[0])
    elif few:
        _print_array(few)


def _print_array(objects: Iterable[str]) -> None:
    """Line by line, so that a million need no memory."""
    before = "["
    for text in objects:
        print(f"{before}{text}", end="")
        before = ",\n "
    print("]" if before != "[" else "[]")
