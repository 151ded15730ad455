"""What bash, zsh and fish complete of a command line, made by shtab of the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from relay.cli import command_line
from relay.cli.completion import PLACES

# Usages are the settings' own, so the relay is asked for them; `command`, since the
# line that is typed may begin with a function of that name.
_ASK = "command relay completion usages"
USAGES = {
    "bash": "_relay_usages",
    "zsh": "_relay_usages",
    "fish": "(_relay_usages)",
    "preamble": {
        "bash": f"""\
_relay_usages() {{
  compgen -W "$({_ASK} "${{COMP_WORDS[@]}}" 2>/dev/null)" -- "$1"
}}""",
        "zsh": f"""\
_relay_usages() {{
  local -a usages
  usages=(${{(f)"$({_ASK} $words 2>/dev/null)"}})
  compadd -a usages
}}""",
        "fish": f"""\
function _relay_usages
  {_ASK} (commandline -opc) 2>/dev/null
end""",
    },
}


def scripts() -> Iterator[tuple[str, str]]:
    """Each shell's file, and its text."""
    parser = command_line()
    _say_kinds(parser)
    for shell, file in PLACES.items():
        yield file, shtab.complete(parser, shell)


def _say_kinds(parser: argparse.ArgumentParser) -> None:
    """Say which arguments are files, folders and usages, by what they are called."""
    kinds = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _say_kinds(inner)
        elif (kind := str(action.metavar).partition(".")[0]) in kinds:
            action.complete = kinds[kind]  # type: ignore[attr-defined] # shtab's
        elif action.dest == "usage":
            action.complete = USAGES  # type: ignore[attr-defined] # shtab's
