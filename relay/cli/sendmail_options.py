"""The command line of `relay sendmail`: the options that programs give to sendmail.

Those of Postfix', Exim's and Sendmail's own; what has no meaning here is taken or
refused, but never misread.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import NoReturn

from relay.cli import connection

# What else /usr/sbin/sendmail is, by its option -b, and what to run instead.
_MODES = {
    "s": "SMTP on stdin; connect to the relay's listener",
    "d": "a server; relay serve is one",
    "D": "a server; relay serve is one",
    "p": "the queue; relay queue list shows it",
    "i": "aliases; the relay has none, see --local-to",
    "t": "a test of addresses; the relay has none",
    "v": "a test of addresses; the relay has none",
}
_NOTIFY = re.compile(r"never|(?:success|failure|delay)(?:,(?:success|failure|delay))*")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, and ends as sysexits.h has it."""

    def error(self, message: str) -> NoReturn:
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of sendmail, and those of the way to the relay."""
    parser.add_argument("recipients", nargs="*", metavar="ADDRESS", help="a recipient")
    parser.add_argument(
        "-t",
        dest="from_header",
        action="store_true",
        help="recipients of To, Cc and Bcc too",
    )
    parser.add_argument(
        "-i", dest="dots", action="store_true", help="a lone dot does not end the mail"
    )
    parser.add_argument(
        "-f",
        "-r",
        dest="sender",
        metavar="ADDRESS",
        help="the envelope's sender, '' or '<>' for none; else that of From, else "
        "user@host",
    )
    parser.add_argument(
        "-F", dest="name", metavar="NAME", default="", help="in a From that is added"
    )
    parser.add_argument(
        "-N", dest="notify", metavar="WHEN", help="of which reports: failure, or never"
    )
    parser.add_argument(
        "-R", dest="ret", choices=("full", "hdrs"), help="how much of it reports have"
    )
    parser.add_argument("-V", dest="envid", metavar="ID", help="what reports call it")
    parser.add_argument(
        "-v", dest="verbose", action="store_true", help="print the relay's reply"
    )
    parser.add_argument(
        "-o",
        dest="set",
        action="append",
        default=[],
        metavar="OPTION",
        help="-oi is -i; others are taken and do nothing",
    )
    parser.add_argument(
        "-b", dest="mode", metavar="MODE", default="m", help="m alone: submit a mail"
    )
    parser.add_argument(
        "-q",
        dest="run_queue",
        nargs="?",
        const="",
        metavar="TIME",
        help="refused: there is no queue here",
    )
    parser.add_argument(
        *("-A", "-B", "-L", "-O", "-X", "-e", "-p"),
        dest="taken",
        metavar="VALUE",
        help="taken, and does nothing",
    )
    parser.add_argument(
        *("-G", "-U", "-m", "-n"),
        dest="taken",
        action="store_true",
        help="taken, and does nothing",
    )
    parser.add_argument(
        "--local-to",
        metavar="ADDRESS",
        help="who gets mail for names without a domain, such as root",
    )
    parser.add_argument(
        "--no-tempfail",
        action="store_true",
        help="end with 69 instead of 75, which PHP takes for a queued mail",
    )
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="the relay's listener, or unix:/PATH; else the first of the settings that "
        f"-C or $RELAY_CONFIG names, else {connection.SERVER}",
    )
    parser.add_argument(
        "-C", "--config", metavar="FILE", help="the relay's settings, for --server"
    )
    connection.add(parser, timeout="300")
    parser.add_argument("--user", metavar="NAME", help="log in")
    parser.add_argument(
        "--password-file", metavar="FILE", help="with --user: holds the password"
    )
    parser.epilog = (
        "Ends with 0 when the relay took the mail, and as sysexits.h has it: 64 usage, "
        "65 the mail cannot be read, 67 a recipient was refused, 69 the mail was "
        "refused, 75 try again later, 78 the settings cannot be used. A link named "
        "sendmail to the command relay does the same."
    )


def parsed(
    words: list[str], *, formatter: type[argparse.HelpFormatter]
) -> argparse.Namespace:
    """Read the command line: addresses may stand among the options."""
    parser = _Parser(
        prog="relay sendmail",
        description="submit a mail from stdin, in place of /usr/sbin/sendmail",
        formatter_class=formatter,
        add_help=False,  # -h is sendmail's: who gives it must not read of a success
    )
    parser.add_argument("--help", action="help", help="show this and exit")
    parser.add_argument(
        "-h", dest="taken", metavar="VALUE", help="taken, and does nothing"
    )
    add(parser)
    # Not left to argparse, whose intermixed arguments know options behind it as well.
    end = words.index("--") if "--" in words else len(words)
    found = parser.parse_intermixed_args(words[:end])
    found.recipients = [*found.recipients, *words[end + 1 :]]
    if found.run_queue is not None:
        parser.error("-q: there is no queue here; relay queue has the relay's")
    if found.mode != "m":
        asked = _MODES.get(found.mode[:1], "unknown")
        parser.error(f"-b{found.mode}: {asked}")
    if found.notify and not _NOTIFY.fullmatch(found.notify.lower()):
        parser.error("-N: neither never nor a list of success, failure and delay")
    if not (found.recipients or found.from_header):
        parser.error("no recipients: name them, or have -t read the mail's own")
    return found
