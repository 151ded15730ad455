"""`relay import`: what it writes, and who may read that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.relay_process import ROOT, environment

WITH_SECRET = {"accessKeyId": "AKIA", "accessKeySecret": "hush", "region": "eu-west-1"}


def imported(connector: object, directory: Path, mode: int) -> str:
    """What is said of a connector whose settings go into a file of this mode."""
    (directory / "connector.json").write_text(json.dumps(connector))
    made = directory / "config.toml"
    line = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(line, mode)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "relay", "import", f"{directory}/connector.json"],
            cwd=ROOT,
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=line,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        os.close(line)
    assert "[ses]" in made.read_text()
    assert "hush" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("mode", "secret", "warned"),
    [(0o644, True, True), (0o600, True, False), (0o644, False, False)],
)
def test_a_secret_in_a_file_that_everybody_may_read_is_said(
    tmp_path: Path, mode: int, secret: bool, warned: bool
) -> None:
    said = imported(WITH_SECRET if secret else {"region": "a"}, tmp_path, mode)
    assert ("every user of this machine may read" in said) == warned
    assert ("umask 077" in said) == warned


@pytest.mark.parametrize("name", ["/dev/zero", "/no/such.json"])
def test_a_connector_that_cannot_be_read_is_exit_code_2(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "relay", "import", name],
        cwd=ROOT,
        env=environment({}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{name}: ")
    assert "Traceback" not in done.stderr
