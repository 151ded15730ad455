"""docs/reference/commands.md: each command with its arguments, of its own parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from relay.cli import command_line

_HEAD = """\
# Commands

What each command is for, and what it takes.
`relay COMMAND --help` says the same.

All of them end with 0 when it is done, with 1 when it ran and something failed, and with 2 for wrong usage or settings; `serve` and `worker` with 3 when a stop cut work off, and with 4 when a part broke or what keeps them from their start may pass.
`sendmail` has codes of its own.

<!-- Made by scripts/reference of the parsers in relay/cli. -->
"""


@dataclass(frozen=True)
class Command:
    """A command that can be given, `relay queue list` say."""

    words: str
    about: str
    more: str
    usage: str
    arguments: tuple[tuple[str, str], ...]


def commands() -> list[Command]:
    """All of them, in the order of `relay --help`."""
    return list(_of(command_line(), "relay", ""))


def _of(parser: argparse.ArgumentParser, words: str, about: str) -> Iterator[Command]:
    below = [
        action
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    if below:
        texts = {choice.dest: choice.help for choice in below[0]._choices_actions}
        for name, inner in below[0].choices.items():
            yield from _of(inner, f"{words} {name}", texts.get(name) or "")
        return
    arguments = tuple(
        (_name(action), _expanded(action))
        for action in parser._actions
        if action.help != argparse.SUPPRESS and action.dest != "help"
    )
    usage = " ".join([words, *filter(None, map(_short, parser._actions))])
    yield Command(words, about, parser.epilog or "", usage, arguments)


def _expanded(action: argparse.Action) -> str:
    text = (action.help or "") % {**vars(action), "prog": "relay"}
    if action.choices:
        text = ": ".join(filter(None, [", ".join(map(str, action.choices)), text]))
    default = action.default
    if (
        isinstance(default, str | int)
        and default not in ("", True, False)
        and "default" not in text
    ):
        text += f"; default: {str(default).strip()}"
    return text


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return str(action.metavar or action.dest.upper())


def _name(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        return value
    return ", ".join(f"{name} {value}".strip() for name in action.option_strings)


def _short(action: argparse.Action) -> str:
    if action.help == argparse.SUPPRESS or action.dest == "help":
        return ""
    value = _value(action)
    if action.option_strings:
        text = f"{action.option_strings[0]} {value}".strip()
        more = " ..." if isinstance(action, argparse._AppendAction) else ""
        return f"{text}{more}" if action.required else f"[{text}]{more}"
    return {"*": f"[{value} ...]", "+": f"{value} ...", "?": f"[{value}]"}.get(
        str(action.nargs), value
    )


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for command in commands():
        lines += [f"## `{command.words}`", "", _sentence(command.about), ""]
        lines += ["```text", command.usage, "```", ""]
        if command.arguments:
            lines += ["| argument | what it is for |", "| --- | --- |"]
            lines += [
                f"| `{name}` | {_cell(text)} |" for name, text in command.arguments
            ]
            lines += [""]
        if command.more:
            lines += [_cell(command.more), ""]
    return "\n".join(lines[:-1]) + "\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
