"""`relay completion SHELL`: what a shell completes, from where the package has it.

`relay completion usages` is asked by that file while somebody types.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, files

# Below share/, where shells of the system look by themselves.
PLACES = {
    "bash": "bash-completion/completions/relay",
    "zsh": "zsh/site-functions/_relay",
    "fish": "fish/vendor_completions.d/relay.fish",
}
USAGES = "usages"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "shell",
        choices=(*PLACES, USAGES),
        metavar="SHELL",
        help="which shell; or usages: those that the settings have templates for",
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="WORD",
        help="with usages: the line as it is typed, whose -c names the settings",
    )
    parser.epilog = (
        'bash: eval "$(relay completion bash)" in ~/.bashrc; '
        "zsh: relay completion zsh > _relay in a folder of $fpath; "
        "fish: relay completion fish > ~/.config/fish/completions/relay.fish"
    )


def run(options: argparse.Namespace) -> int:
    """Print the shell's file, or the usages."""
    if options.shell == USAGES:
        return _usages(options.words)
    place = f"share/{PLACES[options.shell]}"
    try:
        installed = files("ses-relay") or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.as_posix().endswith(place):
            print(file.read_text("utf-8"), end="")
            return 0
    print(
        f"relay completion: {place} is not installed; install ses-relay with pip, or "
        "take the file from its sources",
        file=sys.stderr,
    )
    return 1


def _usages(words: Sequence[str]) -> int:
    """Print those that a shell takes as a word: it would expand what is in others."""
    from relay import config
    from relay.app.templates import templates
    from relay.cli import settings
    from relay.templates.catalog import TemplateError

    # The shell would have put its user's home there, had it run the line.
    file = next((os.path.expanduser(one) for one in _files(words)), None)  # noqa: PTH111
    options = argparse.Namespace(config=file)
    chosen = settings.load(options)
    if chosen is None:
        return 2
    try:
        found = templates(chosen, samples_too=not settings.any_set(options))
    except (config.ConfigError, TemplateError) as error:
        settings.complain(str(error))
        return 2
    for usage in found.usages:
        if shlex.quote(usage) == usage:
            print(usage)
    return 0


def _files(words: Sequence[str]) -> Iterator[str]:
    """What -c names in a command line; bash has each `=` as a word of its own."""
    for at, word in enumerate(words):
        if word in ("-c", "--config"):
            yield from [one for one in words[at + 1 : at + 3] if one != "="][:1]
        elif word.startswith("--config="):
            yield word.partition("=")[2]
