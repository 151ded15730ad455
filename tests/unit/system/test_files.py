"""Files that the settings name: bounded, and never waited for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from relay.system import files


def refusal(path: Path, *, streams: bool = False) -> str:
    with pytest.raises(ValueError, match=r"\w") as refused:
        files.read(path, limit=1000, streams=streams)
    return str(refused.value)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * 1000)
    assert files.read(path, limit=1000) == b"x" * 1000
    path.write_bytes(b"x" * 1001)
    assert refusal(path) == "is larger than 1,000 bytes"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        assert refusal(path).startswith("is no regular file")
    cure = f"; must be a file that user {os.geteuid()} may read"
    assert refusal(tmp_path) == f"Is a directory{cure}"
    assert refusal(tmp_path / "none") == f"No such file or directory{cure}"
    assert refusal(Path("a\0b")) == "is not a path"


def test_a_stream_is_read_to_its_end_where_it_is_wanted(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    line = os.open(pipe, os.O_RDWR)  # so that the reader finds somebody who writes

    def write() -> None:
        os.write(line, b"one ")
        os.write(line, b"two")
        os.close(line)

    later = threading.Timer(0.2, write)
    later.start()
    try:
        assert files.read(pipe, limit=1000, streams=True) == b"one two"
    finally:
        later.join()
    assert files.read(Path("/dev/null"), limit=1000, streams=True) == b""
    assert refusal(Path("/dev/zero"), streams=True) == "is larger than 1,000 bytes"


def test_a_file_is_open_to_others_when_they_reach_it(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "secret"
    path.parent.mkdir()
    path.write_text("x")
    path.chmod(0o640)
    assert not files.open_to_others(path)
    path.chmod(0o644)
    path.parent.chmod(0o750)
    assert not files.open_to_others(path)
    assert files.open_to_others(Path("/etc/passwd"))
    assert not files.open_to_others(tmp_path / "none")
