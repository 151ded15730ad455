"""Which files changed since they were read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.system.seen import Seen


def same_size_and_time(file: Path) -> None:
    before = file.stat()
    other = file.with_suffix(".new")
    other.write_text("two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)


def same_size(file: Path) -> None:
    file.write_text("two")
    later = file.stat().st_mtime_ns + 1
    os.utime(file, ns=(later, later))


@pytest.mark.parametrize(
    "change",
    [same_size, same_size_and_time, lambda file: file.unlink()],
    ids=["written", "replaced", "gone"],
)
def test_a_file_that_is_another_one_has_changed(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("one")
    other.write_text("one")
    seen = Seen()
    for path in (file, other):
        seen.note(path)
    assert list(seen.changed) == []
    change(file)
    assert list(seen.changed) == [file]


def test_a_file_that_was_missing_has_changed_when_it_is_there(tmp_path: Path) -> None:
    seen = Seen()
    seen.note(tmp_path / "a")
    assert list(seen.changed) == []
    (tmp_path / "a").touch()
    assert list(seen.changed) == [tmp_path / "a"]


def test_a_link_that_is_moved_on_the_way_is_a_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("same")
    (tmp_path / "now").symlink_to("one")
    (tmp_path / "a").symlink_to("now/a")
    seen = Seen()
    seen.note(tmp_path / "a")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "now")
    assert list(seen.changed) == [tmp_path / "a"]


def test_a_folder_has_changed_when_something_comes_or_goes(tmp_path: Path) -> None:
    seen = Seen()
    seen.note(tmp_path)
    os.utime(tmp_path, ns=(0, 0))
    seen = Seen()
    seen.note(tmp_path)
    (tmp_path / "a").touch()
    assert list(seen.changed) == [tmp_path]


def test_what_it_was_when_it_was_noted_first_counts(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    seen, later = Seen(), Seen()
    seen.note(file)
    file.write_text("another")
    seen.note(file)
    later.note(file)
    later.note(tmp_path / "b")
    seen.add(later)
    assert list(seen.changed) == [file]
    (tmp_path / "b").touch()
    assert list(seen.changed) == [file, tmp_path / "b"]


def test_a_pipe_is_read_once_and_never_changes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    seen = Seen()
    seen.note(tmp_path / "pipe")
    (tmp_path / "pipe").unlink()
    assert (seen.changed, seen.streams) == ((), {tmp_path / "pipe"})
