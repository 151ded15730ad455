"""`relay render`, as a person runs it."""

from __future__ import annotations

from pathlib import Path

from tests.server.test_life import relay_command


def test_a_refusal_goes_to_stderr_and_a_result_to_stdout(tmp_path: Path) -> None:
    done = relay_command("render", "SignIn", "--var", "code=123456", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "123456" in done.stdout
    refused = relay_command("render", "SignIn", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "550 5.6.0 Variables not given: code\n"
