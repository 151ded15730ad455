"""The command `relay`: one module per subcommand, loaded when it is asked for.

Started as `sendmail`, by a link of that name, it is `relay sendmail`.

Exit codes: 0 done; 1 it ran and something failed; 2 usage or settings; 3 stopped
with work cut off; 4 a part broke, or what keeps a relay from its start may pass.
`relay sendmail` has those of sendmail.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import sys
from collections.abc import Container, Iterable, Sequence
from typing import Any

from relay import __version__

# Command -> what it does, in the order of `relay --help`. The module of the same
# name adds the arguments and runs it.
COMMANDS = {
    "serve": "run the relay",
    "worker": "send what waits in a queue that relays share, and take no mail",
    "check": "read and validate the settings and templates",
    "doctor": "check the settings, AWS, and the way in and out, for a ticket",
    "send": "submit a test mail to a running relay and print its reply",
    "sendmail": "submit a mail from stdin, in place of /usr/sbin/sendmail",
    "render": "show what a template makes of the variables, without sending",
    "templates": "lint, preview and test the templates",
    "rules": "test which rule a mail has, and what it finds",
    "import": "print a config.toml from a Logto Amazon SES connector",
    "config": "print the settings in force, and where each comes from",
    "schema": "print the JSON schema of the settings",
    "queue": "list, show, retry, drop or redrive what is in the queue",
    "completion": "print what a shell completes: bash, zsh or fish",
    "suppression": "list, add, remove, import or export who gets no mail",
    "password": "read a password, print its hash for the settings",
    "ready": "exit 0 when a running relay is ready",
}


# What runs until a signal.
STAYS = ("serve", "worker")


class _Help(argparse.HelpFormatter):
    """argparse's own, as wide as the terminal, but without shutil to tell how wide.

    A parser makes one for each option that it is told of, so each start would pay for
    that import.
    """

    def __init__(self, prog: str) -> None:
        columns = os.environ.get("COLUMNS", "")
        width = int(columns) if columns.isdecimal() else 0
        if not width:
            try:
                width = os.get_terminal_size(1).columns
            except OSError:
                pass  # no terminal
        super().__init__(prog, width=(width or 80) - 2)


class _Parser(argparse.ArgumentParser):
    """argparse's own, which suggests what a misspelt command or choice could be."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            import difflib

            known = [str(choice) for choice in action.choices or ()]
            close = difflib.get_close_matches(str(value), known, 1)
            if close and "did you mean" not in error.message:
                error.message += f"; did you mean {close[0]}?"
            raise


def command_line(
    listed: Iterable[str] = COMMANDS, *, whole: Container[str] = COMMANDS
) -> argparse.ArgumentParser:
    """What reads the command line: the commands `listed`, of `whole` their options."""
    parser = _Parser(
        prog="relay",
        description="A direct, SMTP-compatible relay to Amazon SES.",
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"relay {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, prog="relay"
    )
    for name in listed:
        what = COMMANDS[name]
        command = commands.add_parser(
            name, help=what, description=what, formatter_class=_Help
        )
        if name in whole:
            module = importlib.import_module(f"relay.cli.{_module(name)}")
            module.add(command)
            command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named by `arguments` (default: the process' own)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and sys.argv[0].rpartition("/")[2] == "sendmail":
        words.insert(0, "sendmail")
    asked = next(iter(words), "")
    if asked in STAYS:
        gc.disable()  # until it is ready: what a start makes stays, and looks cost
        # They would end it. SIGHUP is heard once the relay can read its settings anew.
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
    # All of them are there for `relay --help` and for a name that is none. Else the
    # asked one alone: no start pays for the others' parsers and imports.
    parser = command_line([asked] if asked in COMMANDS else COMMANDS, whole={asked})
    try:
        if asked == "sendmail":  # whose options are other programs'
            from relay.cli import sendmail

            options = sendmail.options(words[1:], formatter=_Help)
        else:
            options = parser.parse_args(words)
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `relay schema | head`
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        gc.enable()
        if asked in STAYS:  # the interpreter's own end would let it end by the signal
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Not imported for it: commands without threads need not know of them.
    threads = sys.modules.get("relay.system.threads")
    return code if threads is None else int(threads.end_process(code))


def _module(command: str) -> str:
    return "import_" if command == "import" else command
