"""How the spool's files are opened, and whose they may be."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from relay.queue import file

# What SQLite's builds differ in, and what holds here.
EXPECTED = {
    "auto_vacuum": 2,  # INCREMENTAL
    "busy_timeout": 10_000,
    "cache_size": -8000,
    "cell_size_check": 1,
    "checkpoint_fullfsync": 1,
    "foreign_keys": 0,
    "fullfsync": 1,
    "journal_mode": "wal",
    "journal_size_limit": 1000 * 16_384,
    "locking_mode": "normal",
    "page_size": 16_384,
    "recursive_triggers": 0,
    "secure_delete": 2,  # FAST
    "synchronous": 2,  # FULL
    "temp_store": 2,  # MEMORY
    "trusted_schema": 0,
    "wal_autocheckpoint": 1000,
}


def _asked(connection: sqlite3.Connection) -> dict[str, object]:
    return {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in EXPECTED
    }


def test_the_spool_behaves_alike_with_every_build_of_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    disk = os.statvfs(tmp_path)
    assert disk.f_blocks * disk.f_frsize * file.LOG_PART > 1000 * file.PAGE_SIZE
    with closing(file.connect(path)) as owner:
        assert _asked(owner) == EXPECTED
        with closing(file.opened(path, write=True)) as beside:
            assert _asked(beside) == EXPECTED
        with closing(file.opened(path, write=False)) as beside:
            log = {"wal_autocheckpoint", "journal_size_limit"}
            found = {k: v for k, v in _asked(beside).items() if k not in log}
            assert found == {k: v for k, v in EXPECTED.items() if k not in log}
        for row in owner.execute("PRAGMA mmap_size"):  # no row: built without it
            assert row[0] == 0


def test_a_path_that_reads_like_a_uri_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("file:odd?mode=memory#%41.db")
    file.connect(path).close()
    file.opened(path, write=True).close()
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


# Whose files they are.


def _link(name: Path) -> None:
    target = name.with_name("target")
    target.write_bytes(b"precious")
    name.symlink_to(target)


def _dangling(name: Path) -> None:
    name.symlink_to(name.with_name("nowhere"))


def _fifo(name: Path) -> None:
    os.mkfifo(name)


def _for_all(name: Path) -> None:
    name.touch()
    name.chmod(0o666)


def _of_another(name: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    name.touch()
    name.chmod(0o600)
    os.chown(name, 12_345, -1)


PLANTED: dict[Callable[[Path], None], str] = {
    _link: "is a symbolic link",
    _dangling: "is a symbolic link",
    _fifo: "is no ordinary file",
    _for_all: "may be written by everybody (mode 0666)",
    _of_another: f"belongs to user 12345, and this runs as {os.geteuid()}",
}


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_what_somebody_else_put_there_is_not_used(
    tmp_path: Path, end: str, plant: Callable[[Path], None]
) -> None:
    path = tmp_path / "spool.db"
    if end:
        file.connect(path).close()
    name = path.with_name(path.name + end)
    plant(name)
    before = sorted((one.name, one.lstat().st_size) for one in tmp_path.iterdir())
    says = f"queue.path = {path}: {name.name} {PLANTED[plant]}"
    with pytest.raises(file.UnusableSpool) as error:
        file.connect(path)
    assert str(error.value).startswith(says)
    # Who looks beside the relay sees the same; root may look at anybody's.
    if plant is not _of_another and plant is not _dangling:
        with pytest.raises(file.UnusableSpool) as error:
            file.opened(path, write=True)
        assert str(error.value).startswith(says)
    assert before == sorted(
        (one.name, one.lstat().st_size) for one in tmp_path.iterdir()
    )


def test_what_a_volume_gave_to_a_group_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    file.connect(path).close()
    path.chmod(0o664)
    with closing(file.connect(path)) as connection:
        connection.execute("UPDATE clock SET seen = 1")
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    assert modes == {"spool.db": 0o600, "spool.db-wal": 0o600, "spool.db-shm": 0o600}


def test_without_a_working_directory_the_default_path_has_a_message_and_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    path = Path("relay-spool.db")
    says = (
        f"queue.path = {path}: No such file or directory; the working directory must "
        "exist and be writable for the relay: start it in another one, or set "
        "queue.path to an absolute path"
    )
    with pytest.raises(file.UnusableSpool) as error:
        file.connect(path)
    assert str(error.value) == says
    with pytest.raises(file.UnusableSpool, match="no such file; no relay has run"):
        file.opened(path, write=False)
