"""`relay import`: nothing of a Logto connector is lost, and the settings load."""

from __future__ import annotations

import email
import json
import re
from email.message import EmailMessage
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import config
from relay.app.templates import sources
from relay.cli.logto_connector import USAGES, ConnectorError, convert
from relay.content.header import parse
from relay.model.submission import Envelope
from relay.templates.catalog import Templates

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


# What serve would refuse or read otherwise has a test of its own.
SAFE = st.text().filter(lambda text: "{" not in text)


@given(SAFE, SAFE.filter(bool), st.text(min_size=1), st.text(min_size=1))
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


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        ("<p>{{code}} {{ not closed", "{{code}} {{ not"),
        ("{{ {{code}}", "{{ {{code}}"),
        ("{{{code}}}", "{{{code}}}"),
        ("{{{{ code }}}}", "{"),
        ("{{message.text}}{{message.nonsense}}{{{message.html}}}", "{{message.to}}"),
        ("<style>a{{b:c</style><p>{{\u00a0code\ufeff}}{{{", "{{\u3000code}}"),
        ("{{#if x}}{{code}}{{/if}}{{.code}}", "{{user-name}}"),
    ],
)
def test_what_serve_would_refuse_is_written_as_it_ran_in_logto(
    tmp_path: Path, content: str, subject: str
) -> None:
    template_of = {"usageType": "SignIn", "subject": subject, "content": content}
    imported = convert(json.dumps({"templates": [template_of]}))

    found = sources(_load(tmp_path, imported.toml))
    template = Templates(found, missing="keep").choose("SignIn", "")
    sent = template.apply(
        parse(b"Subject: old\r\n\r\nold\r\n"),
        Envelope("a@b.example", ("c@d.example",)),
        {"code": "123456"},
    )

    in_logto = re.compile(r"\{\{\s*code\s*\}\}|\{\{[\u00a0\u3000]code\ufeff?\}\}")
    made = email.message_from_bytes(sent, policy=default)
    assert isinstance(made, EmailMessage)
    html = made.get_body(("html",))
    assert html is not None
    shown = unescape(str(html.get_content())).strip().replace("a{ {b", "a{{b")
    assert shown == in_logto.sub("123456", content)
    seen = str(made["Subject"]).replace("\u2060", "")
    assert seen == in_logto.sub("123456", subject)
    changed = found[0].content != content or found[0].subject != subject
    assert changed == any("has braces" in note for note in imported.notes)


def test_an_empty_content_stays_a_mail_without_content(tmp_path: Path) -> None:
    template = {"usageType": "SignIn", "subject": "Hi", "content": ""}
    imported = convert(json.dumps({"templates": [template]}))
    assert any("its content is empty" in note for note in imported.notes)
    [found] = sources(_load(tmp_path, imported.toml))
    sent = (
        Templates([found])
        .choose("SignIn", "")
        .apply(parse(b""), Envelope("a@b.example", ("c@d.example",)), {})
    )
    made = email.message_from_bytes(sent, policy=default)
    assert isinstance(made, EmailMessage)
    text = made.get_body(("plain",))
    assert text is not None
    assert str(text.get_content()).strip() == ""


def test_a_template_with_no_content_at_all_is_a_comment() -> None:
    imported = convert('{"templates": [{"usageType": "A", "content": null}]}')
    assert "[[templates]]" not in imported.toml
    assert any("has no content" in note for note in imported.notes)
