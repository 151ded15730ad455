"""The spool's files: whose they are, their version, and how they are opened."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
from pathlib import Path

APPLICATION = 0x52656C79  # "Rely": what file(1) and we know the spool by
# Large mail is written faster than with SQLite's own 4 kB (docs/performance.md).
PAGE_SIZE = 16_384
NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # nor wait for a FIFO
SHM = 32_768  # bytes of the file beside the spool that even reading needs

LOG_PAGES = 1000
LOG_PART = 0.02  # of a small file system, which a long log would fill

# All that a SQLite may be built with another default of, and that matters here.
_SETTINGS = (
    "busy_timeout = 10000",  # ms
    "locking_mode = NORMAL",  # the command line works beside the relay
    # NORMAL may lose commits in a power cut, and with them mail that has its 250.
    "synchronous = FULL",
    # macOS alone: there, fsync leaves it to the disk when it writes.
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    # ON, as Debian has it, writes each body a second time when it is deleted, and a
    # full disk has no room for that: nothing could end. docs/queue.md: what stays.
    "secure_delete = FAST",
    "cache_size = -8000",  # kB
    "temp_store = MEMORY",  # nothing of a mail in /tmp, and no need of one
    "mmap_size = 0",  # with it, a bad disk is a SIGBUS and no error
    "cell_size_check = ON",  # a damaged page is found when it is read
    "trusted_schema = OFF",
    "foreign_keys = OFF",  # there are none, and no triggers
    "recursive_triggers = OFF",
)
_OLDEST_SQLITE = (3, 35)  # RETURNING

_MIGRATION = re.compile(r"(\d{4})-.*\.sql")


class UnusableSpool(Exception):  # noqa: N818 - a statement, meant for the operator
    """The spool cannot be opened; the text names the file and the cure."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the spool to write, make it when it is missing, and bring it up to date.

    Raises UnusableSpool.
    """
    try:
        make_private(path)
        if not path.exists():
            # SQLite gives its other files the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o600))
        connection = _connected(path, "rw", check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise UnusableSpool(trouble(path, error)) from error
    try:
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
        check_private(path, beside=True)
        connection = _connected(path, "rw" if write else "ro", still=not write)
    except FileNotFoundError:
        raise UnusableSpool(
            f"queue.path = {path}: no such file; no relay has run with it. One whose "
            "RELAY_QUEUE__PATH says otherwise has another: set that here too"
        ) from None
    except (OSError, sqlite3.Error) as error:
        raise UnusableSpool(trouble(path, error)) from error
    try:
        _set(connection)
        _check(connection, path)
        if write:
            _limit_log(connection, path)
        if (version := _version(connection)) != NEWEST:
            raise UnusableSpool(
                f"queue.path = {path}: version {version}, and this relay reads "
                f"{NEWEST}; start the relay once with this release"
            )
    except (OSError, sqlite3.Error) as error:
        connection.close()
        raise UnusableSpool(trouble(path, error)) from error
    except UnusableSpool:
        connection.close()
        raise
    return connection


def _connected(
    path: Path, mode: str, *, still: bool = False, check_same_thread: bool = True
) -> sqlite3.Connection:
    """Open the file, which is there."""
    if sqlite3.threadsafety == 0 or sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise UnusableSpool(
            f"queue.path = {path}: this Python's SQLite {sqlite3.sqlite_version} is "
            "older than 3.35 or made without threads; use another Python, or "
            'queue.engine = "none"'
        )
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if still and _is_still(path):
        uri += "&immutable=1"
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=10,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )
    connection.row_factory = sqlite3.Row
    return connection


def check_private(path: Path, *, beside: bool = False) -> None:
    """Refuse files of the spool that another user may have written.

    Without opening them: to close one would give SQLite's locks back that this process
    has on it. `beside` a relay, root may look at any. Raises UnusableSpool and OSError.
    """
    _look(path, "set queue.path to where it leads", beside=beside)
    for name in _beside(path):
        _look(name, "remove it", beside=beside, spool=path)


def make_private(path: Path) -> None:
    """Check the same, and take from others what they may do to the spool's files.

    Some volumes give all to a group. Raises UnusableSpool and OSError.
    """
    check_private(path)
    for name in (path, *_beside(path)):
        try:
            if name.stat().st_mode & 0o077:
                name.chmod(0o600)
        except FileNotFoundError:
            pass


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def _look(name: Path, link: str, *, beside: bool, spool: Path | None = None) -> None:
    try:
        check_owner(spool or name, name, name.lstat(), link=link, beside=beside)
    except FileNotFoundError:
        pass


def check_owner(
    path: Path, name: Path, found: os.stat_result, *, link: str, beside: bool = False
) -> None:
    """Refuse `name`, a file of the spool at `path`, as others may have made it.

    `link`: the cure where it is a symbolic link. Raises UnusableSpool and OSError.
    """
    here = f"queue.path = {path}: {name.name}"
    if stat.S_ISLNK(found.st_mode):
        raise UnusableSpool(f"{here} is a symbolic link; {link}")
    if stat.S_ISDIR(found.st_mode):
        raise UnusableSpool(f"{here} is a directory; name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise UnusableSpool(f"{here} is no ordinary file; use another path")
    user = os.geteuid()
    owners = {user} if user else {user, path.parent.stat().st_uid}
    if found.st_uid not in owners and not (beside and user == 0):
        raise UnusableSpool(
            f"{here} belongs to user {found.st_uid}, and this runs as {user}; run this "
            "as its owner, or, where you know what is in it, give it to this user"
        )
    if found.st_mode & stat.S_IWOTH:
        raise UnusableSpool(
            f"{here} may be written by everybody (mode {found.st_mode & 0o777:04o}); "
            "chmod 600 it where you know what is in it, else move it aside"
        )


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
    _set(connection)
    _check(connection, path)
    if _version(connection) == 0:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before any table
    connection.execute("PRAGMA journal_mode = WAL")
    _limit_log(connection, path)
    for number, script in _migrations():
        if number > _version(connection):
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n"
                f"PRAGMA application_id = {APPLICATION};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )


def _set(connection: sqlite3.Connection) -> None:
    """Have SQLite behave alike, however it was built."""
    # A database that was made to do harm cannot change what is not in its tables.
    defensive = getattr(sqlite3, "SQLITE_DBCONFIG_DEFENSIVE", None)
    if defensive is not None:  # Python 3.12
        connection.setconfig(defensive, True)  # type: ignore[attr-defined,unused-ignore]
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}").fetchall()


def _limit_log(connection: sqlite3.Connection, path: Path) -> None:
    pages = _pages_of_log(path)
    connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
    connection.execute(f"PRAGMA journal_size_limit = {pages * PAGE_SIZE}")


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
    if not path.is_absolute():
        return (
            "the working directory must exist and be writable for the relay: start it "
            "in another one, or set queue.path to an absolute path"
        )
    return "its directory must exist and be writable for the relay"
