"""How many instructions a relay executes, whatever else the machine has to do.

It runs under valgrind's callgrind, some fifty times as slow while they are counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import replace

from bench.relays import Relay

_TRIES = 20
_OF_A_THREAD = re.compile(r"Th [0-9]+ +([0-9,]+)")


def counted(relay: Relay) -> Relay:
    """The same relay, whose instructions can be counted once `begin` says so."""
    if shutil.which("callgrind_control") is None:
        raise SystemExit("instructions are counted by valgrind: apt-get install it")
    valgrind = ("valgrind", "--tool=callgrind", "--instr-atstart=no")
    command = (*valgrind, "--callgrind-out-file=/dev/null", *relay.command)
    return replace(relay, command=command, patience=10 * relay.patience)


def begin(pid: int) -> None:
    """Count from now on."""
    _control("-i", "on", str(pid))


def instructions(pid: int) -> int:
    """How many there were so far, in all threads."""
    for _ in range(_TRIES):
        said = _control("-e", str(pid))
        if found := _OF_A_THREAD.findall(said):
            return sum(int(count.replace(",", "")) for count in found)
        time.sleep(0.1)  # it was between two threads
    raise SystemExit(f"callgrind_control told no count:\n{said}")


def _control(*words: str) -> str:
    done = subprocess.run(
        ["callgrind_control", *words], check=True, capture_output=True, text=True
    )
    return done.stdout
