"""`relay completion SHELL`: what a shell completes, from where the package has it."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, files

# Below share/, where shells of the system look by themselves.
PLACES = {
    "bash": "bash-completion/completions/relay",
    "zsh": "zsh/site-functions/_relay",
    "fish": "fish/vendor_completions.d/relay.fish",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's argument."""
    parser.add_argument(
        "shell", choices=tuple(PLACES), metavar="SHELL", help="which shell"
    )
    parser.epilog = (
        'bash: eval "$(relay completion bash)" in ~/.bashrc; '
        "zsh: relay completion zsh > _relay in a folder of $fpath; "
        "fish: relay completion fish > ~/.config/fish/completions/relay.fish"
    )


def run(options: argparse.Namespace) -> int:
    """Print the shell's file."""
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
