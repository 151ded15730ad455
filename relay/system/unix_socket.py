"""A listening unix socket: a file, whose mode says who may come in.

The file outlives a process that was killed, so one that nobody listens at is
replaced. Relays that start or end at one time do so one after the other, by a lock
on the directory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.system.sockets import BACKLOG, CannotListen, CannotListenNow

_CREDENTIALS = struct.Struct("3i")  # of Linux: process, user, group


def bind(path: Path, mode: int) -> tuple[socket.socket, Callable[[], None]]:
    """A socket that listens at `path`, and what removes its file at the end.

    Raises CannotListen with what stands in the way, and the cure.
    """
    try:
        with _alone(path.parent):
            _make_room(path)
            sock = _bound(path, mode)
            ours = _identity(path)
    except OSError as error:
        raise _refused(path, error) from error

    def remove() -> None:
        try:
            with _alone(path.parent):
                if _identity(path) == ours:  # not one that a later relay put there
                    path.unlink()
        except (OSError, CannotListen):
            pass  # the next one to start finds nobody behind it

    return sock, remove


def _bound(path: Path, mode: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(mode)  # before it listens: nobody comes in by another mode
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _make_room(path: Path) -> None:
    """Take away what a dead process left. Raises CannotListen for all else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotListen(
            f"unix:{path}: is there already, and no socket; remove it, or choose "
            "another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # of one whose queue is full, too, the answer is quick
        try:
            probe.connect(str(path))
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
        raise CannotListenNow(
            f"unix:{path}: {os.strerror(errno.EADDRINUSE)}{_by(probe)}; stop that, or "
            "choose another path"
        )


def _by(probe: socket.socket) -> str:
    """Who listens at the other end, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return ""
    try:
        size = _CREDENTIALS.size
        told = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError:
        return ""
    process = _CREDENTIALS.unpack(told)[0]
    return f", by process {process}" if process > 0 else ""


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other relays from the sockets of `directory`."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = f"{directory}: another process has it locked"
            raise CannotListenNow(text) from None
        yield
    finally:
        os.close(file)


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _refused(path: Path, error: OSError) -> CannotListen:
    """The words for what the system answered."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return CannotListen(
            f"unix:{path}: there is no directory {path.parent}; make it, for the "
            "relay's user (systemd: RuntimeDirectory=ses-relay makes /run/ses-relay)"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CannotListen(
            f"unix:{path}: {reason}: the relay's user has to be able to read and "
            f"write {path.parent}, and to own the socket that is there"
        )
    return CannotListen(f"unix:{path}: {reason}")
