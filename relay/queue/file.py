"""The spool's file: its one owner, its mode, its version, and how it is opened."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

APPLICATION = 0x52656C79  # "Rely": what file(1) and we know the spool by
# Large mail is written faster than with SQLite's own 4 kB (docs/performance.md).
PAGE_SIZE = 16_384
SHM = 32_768  # bytes of the file beside the spool that even reading needs

LOG_PAGES = 1000
LOG_PART = 0.02  # of a small file system, which a long log would fill

_MIGRATION = re.compile(r"(\d{4})-.*\.sql")


class UnusableSpool(Exception):  # noqa: N818 - a statement, meant for the operator
    """The spool cannot be opened; the text names the file and the cure."""


class Taken(UnusableSpool):
    """Another relay has the spool."""


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the spool's lock. Raises Taken with the name of who has it.

    A lock of its own, on `<path>.lock`: SQLite's are given back between writes,
    and the command line writes too. The file stays; a lock that is removed can be
    held twice.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        line = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnusableSpool(trouble(path, error)) from error
    try:
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise UnusableSpool(trouble(path, error)) from error
            owner = os.pread(line, 200, 0).decode("ascii", "replace").strip()
            raise Taken(
                f"queue.path = {path}: in use by {owner or 'another relay'}; stop it, "
                "or give this one a spool of its own"
            ) from error
        try:
            os.ftruncate(line, 0)
            name = f"relay process {os.getpid()} on {os.uname().nodename}\n"
            os.pwrite(line, name.encode("ascii", "replace"), 0)
        except OSError:
            pass  # a full disk: the lock holds, only its holder's name is missing
        yield
    finally:
        os.close(line)


def connect(path: Path) -> sqlite3.Connection:
    """Open the spool to write, make it when it is missing, and bring it up to date.

    Raises UnusableSpool.
    """
    try:
        # SQLite gives its other files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise UnusableSpool(trouble(path, error)) from error
    try:
        connection.row_factory = sqlite3.Row
        _prepare(connection, path)
    except (OSError, sqlite3.Error) as error:
        connection.close()
        raise UnusableSpool(trouble(path, error)) from error
    except UnusableSpool:
        connection.close()
        raise
    return connection


def opened(path: Path, *, write: bool) -> sqlite3.Connection:
    """A connection beside the owner's, for the command line. Raises UnusableSpool."""
    try:
        path.stat()
    except FileNotFoundError:
        raise UnusableSpool(
            f"queue.path = {path}: no such file; no relay has run with it. One whose "
            "RELAY_QUEUE__PATH says otherwise has another: set that here too"
        ) from None
    except OSError as error:
        raise UnusableSpool(trouble(path, error)) from error
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    if not write and _is_still(path):
        uri += "&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
    except sqlite3.Error as error:
        raise UnusableSpool(trouble(path, error)) from error
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        _check(connection, path)
        if (version := _version(connection)) != NEWEST:
            raise UnusableSpool(
                f"queue.path = {path}: version {version}, and this relay reads "
                f"{NEWEST}; start the relay once with this release"
            )
    except sqlite3.Error as error:
        connection.close()
        raise UnusableSpool(trouble(path, error)) from error
    except UnusableSpool:
        connection.close()
        raise
    return connection


def _is_still(path: Path) -> bool:
    """Tell whether nobody can write to a spool that was closed well.

    SQLite makes its -shm even to read; on a read-only file system it cannot, and has
    to be told that nothing changes. With a -wal that would leave out what is in it.
    """
    if not os.statvfs(path.parent).f_flag & os.ST_RDONLY:
        return False
    wal = path.with_name(path.name + "-wal")
    return not wal.exists() or wal.stat().st_size == 0


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _check(connection, path)
    if _version(connection) == 0:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before any table
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL may lose commits in a power cut, and with them mail that has its 250.
    connection.execute("PRAGMA synchronous = FULL")
    pages = _pages_of_log(path)
    connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
    connection.execute(f"PRAGMA journal_size_limit = {pages * PAGE_SIZE}")
    connection.execute("PRAGMA cache_size = -8000")  # kB
    for number, script in _migrations():
        if number > _version(connection):
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n"
                f"PRAGMA application_id = {APPLICATION};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )


def _pages_of_log(path: Path) -> int:
    """How long the log becomes before it is brought into the file, in pages."""
    found = os.statvfs(path.parent)
    part = int(found.f_blocks * found.f_frsize * LOG_PART) // PAGE_SIZE
    return max(min(part, LOG_PAGES), 10)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no spool of ours, or of a later release."""
    version = _version(connection)
    if version > NEWEST:
        raise UnusableSpool(
            f"queue.path = {path}: version {version}, of a later release; this one "
            f"knows {NEWEST}. Use that release, or another path"
        )
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION:
        raise UnusableSpool(
            f"queue.path = {path}: another program's database; use another path"
        )


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _migrations() -> list[tuple[int, str]]:
    # By path: importlib.resources would lengthen the start by its imports.
    scripts = Path(__file__).with_name("migrations").iterdir()
    return sorted(
        (int(match[1]), script.read_text("utf-8"))
        for script in scripts
        if (match := _MIGRATION.fullmatch(script.name))
    )


NEWEST = max(number for number, _ in _migrations())


def may_pass(error: UnusableSpool) -> bool:
    """Tell whether the same spool may be opened later, without anybody's doing.

    Another relay that has it is none of that: two with one spool are a mistake.
    """
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL)
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def trouble(path: Path, error: Exception) -> str:
    """What went wrong with the spool, and the cure, for the operator."""
    text = error.strerror if isinstance(error, OSError) else str(error)
    return f"queue.path = {path}: {text}; {_cure(path, error)}"


def _cure(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return "another program has held it for long; try again"
    try:
        disk = os.statvfs(path.parent)
        # Without room for its -shm, SQLite speaks of an I/O error.
        if code == sqlite3.SQLITE_FULL or disk.f_bavail * disk.f_frsize < SHM:
            return "make room on its disk"
        if disk.f_flag & os.ST_RDONLY and not path.exists():
            return "its disk is read-only for the relay: choose another directory"
        if disk.f_flag & os.ST_RDONLY:
            return "its disk is read-only: copy the file, with its -wal, to another"
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            return "run this as its owner, or give it to this user"
    except OSError:
        pass  # what follows says it
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    ):
        return (
            "move the file aside (with its -wal and -shm); what sqlite3's .recover "
            "finds in it can be sent again by hand"
        )
    return "its directory must exist and be writable for the relay"
