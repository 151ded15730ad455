"""`tracking = false`: what SES is told, by both ways, and by an SDK that is too old."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fake_ses import FakeSes
from tests.server.relay_process import RelayProcess, environment, until
from tests.server.reloading import Reloading, Settings, reloading, ses
from tests.server.sdk import MODEL, knows_tracking, model
from tests.server.test_traps import submit, with_relay

TEMPLATES = [
    {"usageType": "SignIn", "subject": "s", "content": "c", "tracking": False},
    {"usageType": "Generic", "subject": "s", "content": "c"},
]
OFF = {
    "Tracking": {
        "OpenTrackingEnabled": "DISABLED",
        "ClickTrackingEnabled": "DISABLED",
    }
}
WARNING = (
    "templates[0].tracking = false: has no effect, because the installed AWS SDK knows "
    "no ConfigurationOverrides; pip install --upgrade aiobotocore"
)
RULES = [{"subject": "news*", "tracking": False}]


def mail(usage: str) -> bytes:
    return (
        f"From: a@a.example\r\nSubject: {usage}\r\nX-Relay-Usage: {usage}\r\n\r\n-\r\n"
    ).encode()


def older_sdk(directory: Path) -> str:
    """A place for AWS_DATA_PATH: SES' model as it was before it knew of tracking."""
    older = model()
    older["shapes"]["SendEmailRequest"]["members"].pop("ConfigurationOverrides", None)
    path = directory / "models" / MODEL
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(older))
    return str(directory / "models")


async def overrides(**settings: str) -> tuple[list[Any], list[str]]:
    """What SES is told of mail of the two usages; the warnings about tracking."""

    def use(relay: RelayProcess) -> list[str]:
        for usage in ("SignIn", "Generic"):
            _, reply = submit(relay, mail(usage))
            assert reply.startswith("250 2.0.0 Ok "), reply
        return [
            line["warning"]
            for line in relay.log
            if line["event"] == "settings" and "tracking" in line["warning"]
        ]

    async with FakeSes() as ses:
        warnings = await with_relay(
            ses, use, RELAY_TEMPLATES=json.dumps(TEMPLATES), **settings
        )
        assert [request.wrong for request in ses.sent] == ["", ""]
        return [
            request.json.get("ConfigurationOverrides") for request in ses.sent
        ], warnings


async def test_the_call_switches_tracking_off_where_the_template_says_so() -> None:
    told, warnings = await overrides()
    assert told == [OFF if knows_tracking() else None, None]
    assert warnings == ([] if knows_tracking() else [WARNING])


async def test_a_rule_says_it_too() -> None:
    def use(relay: RelayProcess) -> None:
        for subject in ("news of May", "other"):
            content = f"From: a@a.example\r\nSubject: {subject}\r\n\r\n-\r\n"
            submit(relay, content.encode())

    async with FakeSes() as ses:
        await with_relay(ses, use, RELAY_RULES=json.dumps(RULES))
        told = [request.json.get("ConfigurationOverrides") for request in ses.sent]
    assert told == [OFF if knows_tracking() else None, None]


async def test_what_an_older_sdk_lacks_is_said_when_it_is_asked_for_at_a_reload(
    tmp_path: Path,
) -> None:
    (tmp_path / "templates").mkdir()
    file = tmp_path / "templates" / "SignIn.html"

    def warnings(running: Reloading) -> list[str]:
        return [
            line["warning"].removeprefix(f"{tmp_path}/templates/")
            for line in running.said("settings")
            if "tracking" in line["warning"]
        ]

    def use(running: Reloading) -> list[str]:
        assert warnings(running) == []
        file.write_text('+++\nsubject = "s"\ntracking = false\n+++\nc')
        assert running.hup()["event"] == "reloaded"
        until(lambda: warnings(running) != [])
        running.hup()
        return warnings(running)

    file.write_text('+++\nsubject = "s"\n+++\nc')
    async with FakeSes() as fake:
        settings = Settings(tmp_path, ses=ses(fake), templatesDir="templates")
        path = {"AWS_DATA_PATH": older_sdk(tmp_path)}
        found = await reloading(settings, use, environment=path)
    assert found == [WARNING.replace("templates[0].", "SignIn.html:3: ")]


async def test_an_older_sdk_is_a_warning_and_mail_goes_without_it(
    tmp_path: Path,
) -> None:
    found = await overrides(AWS_DATA_PATH=older_sdk(tmp_path))
    assert found == ([None, None], [WARNING])


@pytest.mark.skipif(not knows_tracking(), reason="the installed SDK knows no overrides")
def test_relay_check_says_what_an_older_sdk_lacks(tmp_path: Path) -> None:
    settings = {
        "RELAY_TEMPLATES": json.dumps(TEMPLATES),
        "RELAY_SES__REGION": "eu-west-1",
        "RELAY_QUEUE__ENGINE": "none",
        "RELAY_WEB__LISTEN": "",
    }
    for extra, count in (({}, 0), ({"AWS_DATA_PATH": older_sdk(tmp_path)}, 1)):
        checked = subprocess.run(
            [sys.executable, "-m", "relay", "check"],
            cwd=tmp_path,
            env=environment({**settings, **extra}),
            capture_output=True,
            text=True,
            check=True,
        )
        assert checked.stdout.count(f"warning: {WARNING}") == count
