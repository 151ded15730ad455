"""`relay import`: nothing of a Logto connector is lost, and the settings load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import config
from relay.cli.logto_connector import USAGES, ConnectorError, convert

CONFIG: dict[str, Any] = {
    "accessKeyId": "AKIA",
    "accessKeySecret": "hush",
    "region": "eu-west-1",
    "emailAddress": "Logto\\<noreply@acme.example>",
    "configurationSetName": None,
    "emailAddressIdentityArn": "",
    "novel": {"a": [1]},
    "templates": [
        {
            "usageType": usage,
            "subject": "<a-subject>",
            "content": 'A "b" \\ {{code}}\r\n"""',
        }
        for usage in USAGES
    ]
    + [{"usageType": "SignIn", "subject": "second", "content": "x", "locale": "fr"}],
}
CONNECTOR = {"id": "1", "connectorId": "aws-ses-mail", "config": CONFIG}


def _load(directory: Path, toml: str) -> config.Config:
    file = directory / "config.toml"
    file.write_bytes(toml.encode())
    return config.load(file, {})


@pytest.mark.parametrize(
    "value", [CONFIG, CONNECTOR, [{"connectorId": "smtp"}, CONNECTOR]]
)
def test_config_connector_and_list_make_the_same_settings(
    tmp_path: Path, value: object
) -> None:
    imported = convert(json.dumps(value))
    loaded = _load(tmp_path, imported.toml)
    assert loaded.missing_variables == "keep"
    assert loaded.ses.email_address == "Logto<noreply@acme.example>"
    assert config.revealed(loaded.ses.access_key_secret) == "hush"
    assert [each.usage_type for each in loaded.templates] == list(USAGES)
    assert {each.content for each in loaded.templates} == {
        CONFIG["templates"][0]["content"]
    }
    with_code = [each.usage_type for each in loaded.templates if each.supersedes]
    assert with_code == [each for each in USAGES if each != "OrganizationInvitation"]
    assert {each.valid_for for each in loaded.templates} == {600, None}
    assert '# "novel": {"a": [1]}' in imported.toml
    assert '"subject": "second"' in imported.toml
    notes = "\n".join(imported.notes)
    assert "ses:SendRawEmail" in notes
    assert "placeholder" in notes
    assert "second of its usage" in notes
    assert "hush" not in notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "no connectors with connectorId aws-ses-mail"),
        (json.dumps([CONNECTOR, CONNECTOR]), "2 connectors"),
        ('{"connectorId": "smtp", "config": {}}', "another connector"),
        ("5", "must be a connector"),
        ('{"region": 5}', "region: must be a text"),
    ],
)
def test_what_is_no_connector_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConnectorError, match=words):
        convert(text)


@given(st.text(), st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_every_text_comes_through(
    subject: str, content: str, key: str, extra: str
) -> None:
    import tomllib

    template = {"usageType": "A", "subject": subject, "content": content}
    template.setdefault(key, extra)
    value = {"templates": [template], "configurationSetName": extra, "x": content}
    table = tomllib.loads(convert(json.dumps(value)).toml)
    assert table["ses"] == {"configurationSetName": extra}
    assert table["templates"] == [
        {"usageType": "A", "subject": subject, "content": content}
    ]
