"""The spool's lock: one relay has it at a time, whatever its files are called."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.queue import file

# A byte that SQLite neither writes nor locks; Linux alone has such locks.
_BYTE = 1 << 62
_OFD_SETLK: int | None = getattr(fcntl, "F_OFD_SETLK", None)

_HELD = (errno.EWOULDBLOCK, errno.EACCES)


class Taken(file.UnusableSpool):
    """Another relay has the spool."""


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the spool's lock, and make the spool when it is missing.

    Two locks, and none of SQLite's own, which are given back between writes, while
    the command line writes too. That on `<path>.lock` holds the name of who has it;
    that on the spool itself holds when the first was removed, or when the spool has
    another name, too. Raises Taken, with the name, and file.UnusableSpool.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        named = os.open(lock, os.O_RDWR | os.O_CREAT | file.NO_LINK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            file.check_owner(path, lock, lock.lstat(), link="remove it")
        raise file.UnusableSpool(file.trouble(path, error)) from error
    try:
        _lock_name(path, lock, named)
        spool = _locked_spool(path, named)
        try:
            _write_name(named)
            yield
        finally:
            os.close(spool)
    finally:
        os.close(named)


def _lock_name(path: Path, lock: Path, line: int) -> None:
    try:
        found = os.fstat(line)
        file.check_owner(path, lock, found, link="remove it")
        if found.st_mode & 0o077:
            os.fchmod(line, 0o600)
        fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            raise _taken(path, line) from error
        raise file.UnusableSpool(file.trouble(path, error)) from error


def _locked_spool(path: Path, named: int) -> int:
    """Open the spool and lock it; the lock goes when this is closed."""
    try:
        file.make_private(path)
        spool = os.open(path, os.O_RDWR | os.O_CREAT | file.NO_LINK, 0o600)
    except OSError as error:
        raise file.UnusableSpool(file.trouble(path, error)) from error
    try:
        if _OFD_SETLK is not None:
            whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
            fcntl.fcntl(spool, _OFD_SETLK, whole)
    except OSError as error:
        if error.errno in _HELD:
            os.close(spool)
            raise _taken(path, named) from error
        # A system or a file system without such locks: the other one holds.
    return spool


def _taken(path: Path, line: int) -> Taken:
    owner = os.pread(line, 200, 0).decode("ascii", "replace").strip()
    return Taken(
        f"queue.path = {path}: in use by {owner or 'another relay'}; stop it, "
        "or give this one a spool of its own"
    )


def _write_name(line: int) -> None:
    try:
        os.ftruncate(line, 0)
        name = f"relay process {os.getpid()} on {os.uname().nodename}\n"
        os.pwrite(line, name.encode("ascii", "replace"), 0)
    except OSError:
        pass  # a full disk: the lock holds, only its holder's name is missing
