"""`relay check`, as an operator runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.server.disks import fill, tmpfs
from tests.server.test_life import relay_command

SETTINGS = """
[ses]
region = "eu-west-1"
emailAddress = "Acme <noreply@acme.example>"
emailAddressIdentityArn = "arn:aws:ses:eu-west-1:111122223333:identity/acme.example"

[[templates]]
usageType = "SignIn"
subject = "s"
content = "c"
sendFrom = "Desk <desk@{domain}>"
"""


def test_a_sender_outside_the_identity_is_a_warning(tmp_path: Path) -> None:
    for domain, warned in (
        ("acme.example", False),
        ("mail.acme.example", False),
        ("other.example", True),
        ("notacme.example", True),
    ):
        (tmp_path / "config.toml").write_text(SETTINGS.format(domain=domain))
        found = relay_command("check", cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        line = f"warning: templates[0].sendFrom = 'desk@{domain}': outside"
        assert (line in found.stdout) == warned
        assert "ses.emailAddress =" not in found.stdout


def test_settings_that_cannot_be_used_are_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ses]\nregoin = "eu-west-1"\n')
    found = relay_command("check", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "config.toml: ses.regoin: unknown setting; did you mean ses.region?\n"
    )


def test_what_stops_a_start_is_found(tmp_path: Path) -> None:
    text = (
        SETTINGS.format(domain="acme.example") + '\n[intake]\ntoken = "t0ken-t0ken"\n'
    )
    no_sender = text.replace('emailAddress = "Acme <noreply@acme.example>"\n', "")
    (tmp_path / "config.toml").write_text(no_sender.replace("<desk@acme.example>", ""))
    for command in ("check", "serve"):
        found = relay_command(command, cwd=tmp_path)
        assert found.returncode == 2
        assert "templates[0] (SignIn): sendFrom: has no address" in found.stderr


def check_spool(path: Path) -> subprocess.CompletedProcess[str]:
    settings = {"RELAY_QUEUE__PATH": str(path)}
    return relay_command("check", settings=settings, cwd=path.parents[1])


def test_a_spool_in_memory_is_a_warning(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "a disk", size="200m") as disk:
        path = disk / "spool.db"
        found = check_spool(path)
    assert found.returncode == 0
    assert f"ok: queue: {path}, 0.2 GB are free" in found.stdout
    assert f"warning: queue.path = {path}: on tmpfs, in memory" in found.stdout


def test_a_disk_too_small_for_a_mail_is_a_warning(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", size="20m") as disk:
        found = check_spool(disk / "spool.db")
        fill(disk)
        full = check_spool(disk / "spool.db")
    assert (found.returncode, full.returncode) == (0, 0)
    assert (
        "21 MB are free, and a mail of limits.messageSize takes 84 MB" in found.stdout
    )
    assert ": 0 MB are free" in full.stdout


def test_a_spool_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "spool.db").write_text("no database, but of some length" * 99)
    for path, what in (
        (tmp_path / "no" / "spool.db", f"there is no directory {tmp_path / 'no'}"),
        (tmp_path / "text" / "spool.db", "file is not a database"),
        (tmp_path / "text", "a directory; name a file in it"),
    ):
        found = check_spool(path)
        assert found.returncode == 1
        assert f"problem: queue.path = {path}: {what}" in found.stdout
        assert found.stderr == ""


def test_without_a_queue_nothing_is_said_of_a_spool(tmp_path: Path) -> None:
    found = relay_command(
        "check", settings={"RELAY_QUEUE__ENGINE": "none"}, cwd=tmp_path
    )
    assert (found.returncode, "queue" in found.stdout) == (0, False)
