"""What the kernel says about a process and its children: CPU, memory, cores."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process tree, in bytes: now, and at its highest."""

    resident: int
    peak: int


def tree(pid: int) -> list[int]:
    """`pid` and all processes below it that live now."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:  # grows while it is walked
        found += children.get(one, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree, of children that ended too.

    What lives is read from the process' CPU clock, in nanoseconds: utime and stime
    in /proc count ticks of 10 ms, and a lone client's run has few of them.
    """
    total = 0.0
    for one in tree(pid):
        fields = _stat(one)
        if fields is None:
            continue
        waited_for = int(fields[13]) + int(fields[14])  # cutime, cstime
        total += waited_for / _TICKS
        try:
            # The kernel's name of a process' clock (clock_getcpuclockid(3)).
            total += time.clock_gettime(~one << 3 | 2)
        except OSError:  # it ended meanwhile
            continue
    return total


def memory(pid: int) -> Memory:
    """Resident memory of the tree, and the sum of the peaks of its processes."""
    resident = peak = 0
    for one in tree(pid):
        try:
            lines = (PROC / str(one) / "status").read_text("ascii").splitlines()
        except OSError:
            continue
        kilobytes = {
            name: int(value.split()[0])
            for name, _, value in (line.partition(":") for line in lines)
            if name in ("VmRSS", "VmHWM")
        }
        resident += kilobytes.get("VmRSS", 0) * 1024
        peak += kilobytes.get("VmHWM", 0) * 1024
    return Memory(resident, peak)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from `state` on; None when it has ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # a name may hold anything


def core_seconds(cores: frozenset[int]) -> float:
    """How long these cores have worked since the machine's start, for whomever."""
    total = 0
    for line in (PROC / "stat").read_text("ascii").splitlines():
        name, *ticks = line.split()
        if name.removeprefix("cpu") in map(str, cores):
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
            total += user + nice + system + irq + softirq + steal
    return total / _TICKS


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the relay runs, and where all that measures it does."""

    relay: frozenset[int]
    tools: frozenset[int]

    @classmethod
    def choose(cls) -> Cores:
        """The last core that we may use for the relay, another for the tools."""
        ours = sorted(os.sched_getaffinity(0))
        return cls(frozenset({ours[-1]}), frozenset({ours[-2 % len(ours)]}))

    @property
    def shared(self) -> bool:
        """There is one core only, so that all figures are worse than they are."""
        return self.relay == self.tools


@contextmanager
def on_core(cores: frozenset[int]) -> Iterator[None]:
    """Let what is started inside run on `cores` alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files() -> int:
    """Raise the limit of open files as far as we may, for children too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
