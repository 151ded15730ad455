"""What shells complete of a command line, in the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.cli.completion import PLACES
from tests.server.relay_process import ROOT
from tests.server.tools import need

# What is typed: commands and options by their beginnings, a file's, and usages of the
# settings; and what comes of it.
TYPED = (
    ("relay conf\tsh\t--al\t-c setti\t\r", "GOT:config show --all -c settings.toml"),
    (
        "relay rend\t-c settings.toml Ord\t\r",
        "GOT:render -c settings.toml OrderShipped",
    ),
    ("relay send --usage Sig\t\r", "GOT:send --usage SignIn"),
    ("relay queue li\t--usage Ord\t\r", "GOT:queue list --usage OrderShipped"),
)
TEMPLATE = '[[templates]]\nusageType = "{}"\nsubject = "s"\ncontent = "c"\n'

BASH = """\
relay() {{ echo "GOT:$*"; }}
eval "$(cat {file})"
PS1='READY''> '
"""
ZSH = """\
fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D
relay() {{ print -r "GOT:$*"; }}
PS1='READY''> '
"""
FISH = """\
source {file}
function relay; echo GOT:(string join ' ' -- $argv); end
function fish_prompt; echo 'READY''> '; end
"""


class Shell:
    """A shell at a terminal, to type at."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._shown = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the terminal shows it; what shells paint with is left out."""
        until = time.monotonic() + 60
        while text not in self._shown:
            left = until - time.monotonic()
            assert left > 0, f"no {text!r} in {self._shown!r}"
            if select.select([self._terminal], [], [], left)[0]:
                try:
                    data = os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"the shell ended: {self._shown!r}") from None
                self._shown += re.sub(
                    r"\x1b(\[[0-9;?>=]*[a-zA-Z]|[()][A-Z0-9]|.)", "", data
                )


@contextmanager
def _shell(*command: str, cwd: Path) -> Iterator[Shell]:
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(cwd)
        environment = {
            "PATH": f"{cwd}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(cwd),
            "TERM": "xterm",
            "COLUMNS": "200",
            "LANG": "C.UTF-8",
        }
        os.execvpe(command[0], command, environment)
    try:
        yield Shell(terminal)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


@pytest.mark.parametrize(
    ("shell", "options", "start"),
    [
        ("bash", ("--norc", "--noprofile", "-i"), BASH),
        ("zsh", ("-f", "-i"), ZSH),
        ("fish", ("--no-config", "-i"), FISH),
    ],
)
def test_a_shell_completes_commands_options_and_files(
    shell: str, options: tuple[str, ...], start: str, tmp_path: Path
) -> None:
    need(shell)
    file = ROOT / "share" / PLACES[shell]
    # The settings that -c names, and those of this directory.
    (tmp_path / "settings.toml").write_text(TEMPLATE.format("OrderShipped"))
    here = ("SignIn", "OrderShipped", "$(touch run)")
    (tmp_path / "config.toml").write_text("".join(map(TEMPLATE.format, here)))
    program = tmp_path / "bin" / "relay"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m relay "$@"\n')
    program.chmod(0o755)

    with _shell(shell, *options, cwd=tmp_path) as terminal:
        terminal.type(start.format(folder=file.parent, file=file))
        terminal.wait_for("READY> ")
        for typed, whole in TYPED:
            terminal.type(typed)
            terminal.wait_for(whole)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("page", ["man1/relay.1", "man5/relay.toml.5"])
def test_man_has_nothing_to_say_against_a_page(page: str) -> None:
    man = need("man", "man-db")
    shown = subprocess.run(
        [man, "--warnings", "-E", "UTF-8", "-l", ROOT / "share" / "man" / page],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stderr == ""
    text = re.sub(r".\x08", "", shown.stdout)
    wanted = "relay queue list" if page == "man1/relay.1" else "RELAY_SES__REGION"
    assert wanted in text
