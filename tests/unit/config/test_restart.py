"""What a relay that runs takes over of changed settings, and what it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relay import config
from relay.config import restart
from relay.password import hashed
from tests.server.reloading import Settings

LOCAL = {"name": "local", "address": "localhost:1025"}
OFFICE = {"name": "office", "address": "localhost:2525"}


def settings(tmp_path: Path, **given: Any) -> config.Config:  # noqa: ANN401
    return config.load(Settings(tmp_path, **{"listeners": [LOCAL], **given}).file, {})


def test_settings_that_are_the_same_differ_in_nothing(tmp_path: Path) -> None:
    before, now = settings(tmp_path, grace=26), settings(tmp_path, grace=26)
    assert list(restart.changed(before, now)) == []
    assert restart.taken_over(before, now) == (now, (), "")


def test_a_secret_that_is_another_one_counts_as_changed(tmp_path: Path) -> None:
    keys = {"accessKeyId": "AKIA", "region": "eu-west-1"}
    before = settings(tmp_path, ses={**keys, "accessKeySecret": "one"})
    now = settings(tmp_path, ses={**keys, "accessKeySecret": "two"})
    assert list(restart.changed(before, now)) == ["ses"]


def test_what_a_start_opened_stays_and_all_else_is_taken(tmp_path: Path) -> None:
    running = settings(tmp_path, transport="capture")
    new = settings(
        tmp_path,
        transport="ses",
        grace=26,
        queue={"engine": "none", "path": "other.db", "answerWithin": 1},
        web={"listen": "", "hosts": ["relay.acme.example"]},
        health={"listen": "127.0.0.1:1"},
    )
    taken = restart.taken_over(running, new)
    assert taken.needs_restart == (
        "transport",
        "queue.engine",
        "queue.path",
        "web.listen",
        "health.listen",
    )
    now = taken.settings
    assert (now.transport, now.queue.engine) == ("capture", "sqlite")
    assert (now.queue.path, now.web.listen) == ("relay-spool.db", "127.0.0.1:8025")
    assert now.health.listen == ""
    assert (now.grace, now.queue.answer_within) == (26, 1)
    assert now.web.hosts == ("relay.acme.example",)


def test_a_listener_is_known_by_its_address_first_by_its_name(tmp_path: Path) -> None:
    running = settings(tmp_path, listeners=[LOCAL, OFFICE])
    new = settings(
        tmp_path,
        listeners=[
            {**OFFICE, "usage": "SignIn"},
            {"name": "third", "address": "localhost:3525"},
            {"name": "renamed", "address": LOCAL["address"]},
        ],
    )
    taken = restart.taken_over(running, new)
    assert taken.needs_restart == ("listeners",)
    assert taken.detail == "listener third: localhost:3525 is not served yet"
    found = [(one.name, one.usage) for one in taken.settings.listeners]
    assert found == [("renamed", ""), ("office", "SignIn")]


def test_a_listener_that_is_gone_or_moved_stays_as_it_was(tmp_path: Path) -> None:
    running = settings(tmp_path, listeners=[LOCAL, {**OFFICE, "usage": "SignIn"}])
    new = settings(tmp_path, listeners=[LOCAL])
    taken = restart.taken_over(running, new)
    assert taken.settings.listeners == running.listeners
    assert taken.detail == "listener office: localhost:2525 stays as it is"


def test_the_mode_of_a_socket_stays_as_it_was_made(tmp_path: Path) -> None:
    local = {"name": "local", "address": "unix:/run/relay/smtp.sock"}
    running = settings(tmp_path, listeners=[local])
    new = settings(
        tmp_path, listeners=[{**local, "socketMode": "0666", "usage": "SignIn"}]
    )
    taken = restart.taken_over(running, new)
    assert taken.needs_restart == ("listeners",)
    assert taken.detail == "listener local: socketMode stays as it is"
    (one,) = taken.settings.listeners
    assert (one.socket_mode, one.usage) == ("0660", "SignIn")

    moved = settings(tmp_path, listeners=[LOCAL])
    taken = restart.taken_over(running, moved)
    assert taken.settings.listeners == running.listeners
    assert taken.detail == (
        "listener local: unix:/run/relay/smtp.sock stays as it is; "
        "listener local: localhost:1025 is not served yet"
    )


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (
            {"web": {"listen": "0.0.0.0:1", "user": "a", "passwordHash": "HASH"}},
            {"web": {"listen": "127.0.0.1:1"}},
            'web.listen = "0.0.0.0:1": reachable from outside the machine; ',
        ),
        (
            {
                "listeners": [{**LOCAL, "auth": "required"}],
                "users": [{"name": "a", "passwordHash": "HASH"}],
            },
            {"listeners": [OFFICE]},
            'listeners[0].auth = "required": needs [[users]]',
        ),
        (
            {"queue": {"engine": "none"}},
            {"queue": {"answerWithin": 20}},
            "queue.answerWithin = 20: with ses.attemptTimeout (20) must be shorter",
        ),
    ],
)
def test_nothing_is_taken_that_is_safe_after_a_restart_alone(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], said: str
) -> None:
    def whole(given: dict[str, Any]) -> config.Config:
        for one in (given.get("web"), *given.get("users", ())):
            if one and "passwordHash" in one:
                one["passwordHash"] = hashed("s3cret")
        return settings(tmp_path, **given)

    with pytest.raises(config.ConfigError) as refused:
        restart.taken_over(whole(before), whole(now))
    assert str(refused.value).startswith(f"{tmp_path / 'config.toml'}: {said}")
    assert "until a restart" in str(refused.value)


def test_each_file_is_told_of_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    file = tmp_path / "config.toml"
    file.write_text(
        "[ses]\naccessKeyId = 'AKIA'\naccessKeySecretFile = 'secret'\n"
        "region = 'eu-west-1'\n"
    )
    seen: list[Path] = []
    config.load(file, {}, note=seen.append)
    assert seen == [file, tmp_path / "secret"]
