"""A disk that forgets at the kill what was not synced, by a small library."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.server.tools import need

SOURCE = Path(__file__).with_suffix(".c")
FILES = ("spool.db", "spool.db-wal")


class ForgetfulDisk:
    """The disk under a spool in `directory`; `deaf`: one that no sync reaches."""

    def __init__(self, directory: Path, *, deaf: bool = False) -> None:
        self._directory = directory
        self._deaf = deaf
        self._library = directory / "lost_writes.so"
        command = [need("gcc", "gcc libc6-dev"), "-shared", "-fPIC", "-O2", "-Wall"]
        command += ["-Werror", "-o", os.fspath(self._library), os.fspath(SOURCE)]
        subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """For the process whose writes are lost."""
        mode = "deaf" if self._deaf else "on"
        return {"LD_PRELOAD": os.fspath(self._library), "LOST_WRITES": mode}

    def forget(self) -> None:
        """Lose what was not synced, once the process is dead."""
        for name in FILES:
            file, durable = self._paths(name)
            if durable.exists():
                shutil.copyfile(durable, file)
            else:
                file.unlink(missing_ok=True)
        (self._directory / "spool.db-shm").unlink(missing_ok=True)

    def flush(self) -> None:
        """Write all of it, as the system does some time after a process has ended."""
        if self._deaf:
            return
        for name in FILES:
            file, durable = self._paths(name)
            if file.exists():
                shutil.copyfile(file, durable)
            else:
                durable.unlink(missing_ok=True)

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._directory / name, self._directory / f"{name}.durable"
