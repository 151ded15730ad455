"""`relay config show`: the settings in force, each with who said it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from relay import password
from tests.server.test_life import relay_command

FILE = """\
grace = "30s"

[ses]
region = "eu-west-1"
accessKeyId = "AKIAHUSH"
accessKeySecretFile = "secret"
tags = { app = "shop" }

[queue]
engine = "none"
endpoint_url = "http://who:hush@localhost:4566"

[[templates]]
usageType = "SignIn"
subject = "Your code"
content = '''
<p>one</p>
'''
"""


def _shown(cwd: Path, *options: str, **settings: str) -> list[dict[str, Any]]:
    done = relay_command(
        "config", "show", "--json", *options, settings=settings, cwd=cwd
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "hush" not in done.stdout.lower()
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _whence(cwd: Path, *options: str, **settings: str) -> dict[str, tuple[object, ...]]:
    return {
        one["name"]: (one["value"], one["kind"], one["source"], one["line"])
        for one in _shown(cwd, *options, **settings)
    }


def test_each_setting_has_its_value_and_who_said_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FILE, "utf-8")
    (tmp_path / "secret").write_text("hush\n", "utf-8")
    package = tmp_path / "package"
    package.mkdir()
    (package / "settings.toml").write_text(
        'grace = 60\n[health]\nlisten = "0.0.0.0:8026"\n', "utf-8"
    )
    user = json.dumps([{"name": "app", "password_hash": password.hashed("hush-hush")}])

    found = _whence(
        tmp_path,
        RELAY_DEFAULTS="package",
        RELAY_LOG__LEVEL="debug",
        RELAY_USERS=user,
        RELAY_SES__TAGS='{"app": "other"}',
    )

    ours = ("file", "config.toml")
    assert found == {
        "grace": (30, *ours, 1),
        "users[0].name": ("app", "environment", "RELAY_USERS", None),
        "users[0].passwordHash": (None, "environment", "RELAY_USERS", None),
        "limits.recipients": (50, "follows", None, None),
        "ses.accessKeyId": (None, *ours, 5),
        "ses.accessKeySecret": (None, *ours, 6),
        "ses.accessKeySecretFile": ("secret", *ours, 6),
        "ses.region": ("eu-west-1", *ours, 4),
        "ses.tags": ({"app": "other"}, "environment", "RELAY_SES__TAGS", None),
        "queue.engine": ("none", *ours, 10),
        "queue.endpointUrl": ("http://***@localhost:4566", *ours, 11),
        "templates[0].usageType": ("SignIn", *ours, 14),
        "templates[0].subject": ("Your code", *ours, 15),
        "templates[0].content": ("<p>one</p>\n", *ours, 16),
        "health.listen": ("0.0.0.0:8026", "package", "package/settings.toml", 3),
        "log.level": ("debug", "environment", "RELAY_LOG__LEVEL", None),
    }


def test_all_settings_are_there_when_asked_for_and_secrets_are_hidden(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.toml").write_text(FILE, "utf-8")
    (tmp_path / "secret").write_text("hush\n", "utf-8")

    found = _shown(tmp_path, "--all")

    assert [one["name"] for one in found if one["hidden"]] == [
        "ses.accessKeyId",
        "ses.accessKeySecret",
    ]
    of_default = {
        one["name"]: one["value"] for one in found if one["kind"] == "default"
    }
    assert len(of_default) > 90
    assert of_default["listeners[0].address"] == "localhost:1025"
    assert of_default["web.passwordHash"] == ""
    assert of_default["templates[0].validFor"] is None


def test_what_the_command_line_says_is_named(tmp_path: Path) -> None:
    found = _whence(tmp_path, "--capture", RELAY_QUEUE__ENGINE="sqlite")

    assert found == {
        "transport": ("capture", "option", "--capture", None),
        "limits.recipients": (50, "follows", None, None),
        "queue.engine": ("none", "option", "--capture", None),
    }


def test_people_get_a_line_a_setting(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FILE, "utf-8")
    (tmp_path / "secret").write_text("hush\n", "utf-8")

    done = relay_command("config", "show", settings={}, cwd=tmp_path)

    lines = done.stdout.splitlines()
    assert lines[0].startswith("# config.toml: 12 of ")
    assert lines[1:4] == [
        f"{'grace = 30':<44}  # config.toml:1",
        f"{'limits.recipients = 50':<44}  # follows from other settings",
        f"{'ses.accessKeyId = (hidden)':<44}  # config.toml:5",
    ]
    assert 'ses.tags = { app = "shop" }' in done.stdout
    assert "hush" not in done.stdout


def test_wrong_settings_are_told_as_by_any_command(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ses]\nregoin = "eu"\n', "utf-8")

    done = relay_command("config", "show", settings={}, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "config.toml: ses.regoin: unknown setting; did you mean ses.region?\n"
    )


def test_settings_from_a_pipe_have_no_lines(tmp_path: Path) -> None:
    done = relay_command(
        *("config", "show", "--json", "-c", "/dev/stdin"),
        settings={},
        cwd=tmp_path,
        through=["sh", "-c", 'echo grace = 30 | "$@"', "sh"],
    )

    [grace] = json.loads(done.stdout)
    assert (grace["value"], grace["source"], grace["line"]) == (30, "/dev/stdin", None)
