"""Who has the spool, whatever its files are called."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from relay.queue import file
from relay.queue.lock import Taken, owned
from tests.unit.queue.test_file import PLANTED


@pytest.mark.parametrize("plant", PLANTED)
def test_a_lock_that_somebody_else_put_there_is_neither_used_nor_emptied(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    path = tmp_path / "spool.db"
    lock = tmp_path / "spool.db.lock"
    plant(lock)
    before = sorted((one.name, one.lstat().st_size) for one in tmp_path.iterdir())
    with pytest.raises(file.UnusableSpool) as error, owned(path):
        pass
    says = f"queue.path = {path}: spool.db.lock {PLANTED[plant]}"
    assert str(error.value).startswith(says)
    # Nor is the target of a link, or a spool, made or changed.
    assert before == sorted(
        (one.name, one.lstat().st_size) for one in tmp_path.iterdir()
    )


def test_the_lock_of_the_last_release_keeps_this_one_out_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    lock = tmp_path / "spool.db.lock"
    with owned(path):
        assert lock.read_text() == (
            f"relay process {os.getpid()} on {os.uname().nodename}\n"
        )
        with lock.open("r+b") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        says = f"in use by relay process {os.getpid()} on "
        with pytest.raises(Taken, match=says), owned(path):
            pass


@pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="Linux has such locks")
@pytest.mark.parametrize("how", ["the lock is removed", "by another name"])
def test_the_spool_itself_is_locked_and_not_its_name(tmp_path: Path, how: str) -> None:
    path = again = tmp_path / "spool.db"
    with owned(path), closing(file.connect(path)) as connection:
        if how == "by another name":
            again = tmp_path / "other.db"
            os.link(path, again)
        else:
            (tmp_path / "spool.db.lock").unlink()
        with pytest.raises(Taken, match="in use by another relay"), owned(again):
            pass
        # Who came second took none of SQLite's locks with it, and holds up no writing.
        connection.execute("UPDATE clock SET seen = 1")
        with closing(file.opened(path, write=True)) as beside:
            beside.execute("UPDATE clock SET seen = 2")
        assert connection.execute("SELECT seen FROM clock").fetchone()[0] == 2
    with owned(path):
        pass
