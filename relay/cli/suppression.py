"""`relay suppression`: who gets no mail, beside running relays or without."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from relay import config
from relay.app.suppression import open_book
from relay.cli import settings, suppression_list
from relay.model.suppression import REASONS, Suppressed
from relay.queue import file
from relay.queue.suppression_book import SuppressionBook

JSON = "objects of address, reason, since, source and detail"
FIGURES = "an object of its figures"
WRONG_NAMED = 20
NOT_ON = "is not on the list"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the five commands."""
    does = parser.add_subparsers(dest="does", metavar="COMMAND", required=True)

    listing = does.add_parser("list", help="who gets no mail, since when and why")
    listing.add_argument(
        "words", nargs="?", default="", metavar="TEXT", help="a part of the address"
    )
    listing.add_argument("--json", action="store_true", help=f"an array of {JSON}")

    enter = does.add_parser("add", help="send no mail to these addresses")
    enter.add_argument("addresses", nargs="+", metavar="ADDRESS")
    enter.add_argument("--note", default="", help="what the list says of it")

    remove = does.add_parser(
        "remove", help="send mail to these addresses again; SES may have a list too"
    )
    remove.add_argument("addresses", nargs="+", metavar="ADDRESS")

    bring = does.add_parser("import", help="add the addresses of a file, or of SES")
    bring.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="CSV, or one address a line; - for stdin",
    )
    bring.add_argument(
        "--from-ses",
        action="store_true",
        help="the list of the account: 1000 addresses a second",
    )

    export = does.add_parser("export", help="print the list as CSV")
    export.add_argument("--json", action="store_true", help=f"an array of {JSON}")

    for command in (listing, export):
        command.add_argument("--reason", default="", choices=REASONS)
    for command in (enter, bring):
        command.add_argument(
            "--reason",
            default="manual",
            choices=REASONS,
            help="where nothing else is said: manual",
        )
    for command in (enter, remove, bring):
        command.add_argument("--json", action="store_true", help=FIGURES)
    for command in (listing, enter, remove, bring, export):
        settings.add(command)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; 1 when something of it cannot be done, 2 when nothing can."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    chosen = settings.load(options)
    if chosen is None:
        return 2
    command = f"relay suppression {options.does}"
    if chosen.queue.engine == "none":
        settings.complain(
            f'{command}: queue.engine = "none": nothing is remembered here; set '
            'queue.engine = "sqlite" or "sqs"'
        )
        return 2
    if options.does == "import" and bool(options.file) == options.from_ses:
        settings.complain(f"{command}: give a FILE or --from-ses")
        return 2
    reads = options.does in ("list", "export")
    if not reads and not chosen.suppression.enabled:
        settings.complain(
            "suppression.enabled = false: until it is true, no relay heeds the list"
        )
    opened = False
    try:
        with open_book(chosen, write=not reads) as book:
            opened = True
            match options.does:
                case "list" | "export":
                    return _show(book, options, chosen)
                case "add":
                    return _add(book, options)
                case "remove":
                    return _remove(book, options)
                case _:
                    return _import(book, options, chosen)
    except file.UnusableSpool as error:
        settings.complain(str(error))
        return 1 if opened else 2


def _show(
    book: SuppressionBook, options: argparse.Namespace, chosen: config.Config
) -> int:
    words = getattr(options, "words", "").lower()
    now, keep = time.time(), chosen.suppression.keep_bounces
    found = (
        entry
        for entry in book.entries(words=words, reason=options.reason)
        if not entry.is_over(now, keep)
    )
    if options.json:
        before = "["
        for entry in found:
            print(
                f"{before}{json.dumps(suppression_list.as_json(entry))}",
                end="",
            )
            before = ",\n "
        print("]" if before != "[" else "[]")
        return 0
    as_text = suppression_list.as_table
    if options.does == "export":
        as_text = suppression_list.as_csv
    printed = False
    for line in as_text(found):
        print(line)
        printed = True
    if not printed:
        settings.complain("no address")
    return 0


def _add(book: SuppressionBook, options: argparse.Namespace) -> int:
    now = time.time()
    entries: list[Suppressed] = []
    for text in options.addresses:
        try:
            address = suppression_list.checked(text)
        except ValueError as error:
            settings.complain(f"relay suppression add: {error}")
            return 2
        note = "".join(filter(str.isprintable, options.note))[:200]
        entries.append(Suppressed(address, options.reason, now, "hand", note))
    return _enter(book, entries, Counter(), as_json=options.json)


def _remove(book: SuppressionBook, options: argparse.Namespace) -> int:
    try:
        addresses = [suppression_list.checked(text) for text in options.addresses]
    except ValueError as error:
        settings.complain(f"relay suppression remove: {error}")
        return 2
    missing = [one for one, there in book.remove(addresses) if not there]
    done = len(addresses) - len(missing)
    if options.json:
        print(json.dumps({"removed": done, "missing": len(missing)}))
    else:
        print(f"removed {_addresses(done)}")
    for address in missing:
        settings.complain(f"relay suppression remove: {address}: {NOT_ON}")
    return 1 if missing else 0


def _import(
    book: SuppressionBook, options: argparse.Namespace, chosen: config.Config
) -> int:
    figures: Counter[str] = Counter()
    # A stop that a service manager asks for ends it as Ctrl-C does; a shell has what
    # a script began in the background ignore that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    if options.from_ses:
        return _enter(book, _of_ses(chosen, figures), figures, as_json=options.json)
    try:
        if options.file == "-":
            text = io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig")
        else:
            text = Path(options.file).open(encoding="utf-8-sig")  # noqa: SIM115 - closed below
        with text:
            found = suppression_list.read(text, reason=options.reason, now=time.time())
            right = _right(found, options.file, figures)
            return _enter(book, right, figures, as_json=options.json)
    except UnicodeDecodeError:
        settings.complain(f"{options.file}: is not UTF-8")
    except OSError as error:
        settings.complain(f"{options.file}: {error.strerror or error}")
    return 2


def _right(
    found: Iterable[Suppressed | suppression_list.Wrong],
    name: str,
    figures: Counter[str],
) -> Iterator[Suppressed]:
    for one in found:
        if isinstance(one, Suppressed):
            yield one
            continue
        figures["wrong"] += 1
        if figures["wrong"] <= WRONG_NAMED:
            settings.complain(f"{name}:{one.line}: {one.text}")


def _of_ses(chosen: config.Config, figures: Counter[str]) -> Iterator[Suppressed]:
    """What SES has of each account of the settings; ends early in trouble.

    So what was read before that is entered.
    """
    from relay.app.ses_side import client_settings
    from relay.delivery.transport import Unanswered
    from relay.ses.sdk_client import CannotOpen
    from relay.ses.suppressed import suppressed

    doors = {account.door: account for account in config.accounts(chosen)}
    number = 0
    with asyncio.Runner() as runner:
        for account in doors.values():
            pages = suppressed(client_settings(account.ses))
            try:
                while (page := runner.run(_next(pages))) is not None:
                    number += len(page)
                    if sys.stderr.isatty():
                        said = f"\r{number:,} addresses of SES"
                        print(said, end="", file=sys.stderr, flush=True)
                    yield from page
            except CannotOpen as error:
                settings.complain(f"{account.place}: {error}")
                figures["unread"] += 1
            except Unanswered as error:
                cure = f"; {error.cure}" if error.cure else ""
                settings.complain(f"{account.place}: {error}{cure}")
                figures["unread"] += 1
            except KeyboardInterrupt:
                figures["stopped"] += 1
                return
            finally:
                runner.run(pages.aclose())
                if sys.stderr.isatty():
                    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


async def _next(pages: AsyncIterator[list[Suppressed]]) -> list[Suppressed] | None:
    return await anext(pages, None)


def _enter(
    book: SuppressionBook,
    entries: Iterable[Suppressed],
    figures: Counter[str],
    *,
    as_json: bool,
) -> int:
    """Enter them, and say what became of them; what is in stays in."""
    try:
        for _, became in book.add(entries):
            figures[became] += 1
    except KeyboardInterrupt:
        figures["stopped"] += 1
    if figures["stopped"]:
        settings.complain("stopped; what was read is in, and may be imported again")
    if as_json:
        names = ("added", "known", "removed", "wrong")
        print(json.dumps({name: figures[name] for name in names}))
    else:
        known = f", {figures['known']} were on it" if figures["known"] else ""
        print(f"added {_addresses(figures['added'])}{known}")
    if figures["removed"]:
        settings.complain(
            f"{_addresses(figures['removed'])} left out: removed by hand since; relay "
            "suppression add brings them back"
        )
    if figures["wrong"]:
        settings.complain(f"{figures['wrong']} lines are no addresses")
    if figures["stopped"]:
        return 130
    return 1 if figures["wrong"] or figures["unread"] else 0


def _addresses(number: int) -> str:
    return "1 address" if number == 1 else f"{number} addresses"
