"""`relay rules test`, as an operator runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.server.test_life import relay_command

SETTINGS = r"""
[[listeners]]
[[listeners]]
name = "office"
address = "localhost:1026"
usage = "Register"

[ses]
region = "eu-west-1"
emailAddress = "noreply@acme.example"

[[templates]]
usageType = "SignIn"
subject = "Your code {{code}}"
content = "<p>{{code}}</p>"

[[templates]]
usageType = "Register"
subject = "Welcome"
content = "<p>Welcome</p>"

[[rules]]
name = "office"
listener = "office"

[[rules]]
name = "shop: codes"
from = "*@shop.example"
subject = "*code*"
usage = "SignIn"
variablesFrom = "text"
extract = ['code is (?P<code>\d+)']
notFound = "reject"
configurationSetName = "news"

[[rules]]
header = { "X-Job" = "*" }
recipient = "*@acme.example"
"""
MAIL = (
    "From: Shop <app@shop.example>\nTo: Ann <ann@example.net>, bob@acme.example\n"
    "Subject: Your code\n{}\nYour code is 123456.\n"
)


def rules_test(
    directory: Path, *words: str, content: str = MAIL.format("")
) -> subprocess.CompletedProcess[str]:
    (directory / "config.toml").write_text(SETTINGS, "utf-8")
    (directory / "mail.eml").write_text(content, "utf-8")
    return relay_command("rules", "test", "mail.eml", *words, cwd=directory)


def test_it_says_which_rule_holds_and_what_it_finds(tmp_path: Path) -> None:
    done = rules_test(tmp_path)

    assert done.stderr == ""
    assert done.stdout == (
        "office:         no, listener\n"
        "shop: codes:    holds\n"
        "rule 3:         no, header.X-Job\n"
        "\n"
        "rule:           shop: codes\n"
        "variable code:  found (--show-values shows it)\n"
        "usage:          SignIn\n"
        "template:       SignIn\n"
        "From:           noreply@acme.example\n"
        "To:             Ann <ann@example.net>, bob@acme.example\n"
        'SendEmail:      {"Destination": {"ToAddresses": ["ann@example.net", '
        '"bob@acme.example"]}, "ConfigurationSetName": "news", '
        '"EmailTags": [{"Name": "usage", "Value": "SignIn"}]}\n'
    )
    assert done.returncode == 0


def test_values_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    assert "123456" not in rules_test(tmp_path, "--json").stdout
    shown = json.loads(rules_test(tmp_path, "--json", "--show-values").stdout)
    assert shown == {
        "rules": [
            {"name": "office", "failed": "listener"},
            {"name": "shop: codes", "failed": None},
            {"name": "rule 3", "failed": "header.X-Job"},
        ],
        "rule": "shop: codes",
        "usage": "SignIn",
        "template": "SignIn",
        "locale": "",
        "variables": {"code": "123456"},
        "missing": [],
        "header": {
            "From": "noreply@acme.example",
            "To": "Ann <ann@example.net>, bob@acme.example",
            "Subject": "Your code 123456",
        },
        "parameters": [
            {
                "Destination": {"ToAddresses": ["ann@example.net", "bob@acme.example"]},
                "ConfigurationSetName": "news",
                "EmailTags": [{"Name": "usage", "Value": "SignIn"}],
            }
        ],
        "reply": None,
    }


def test_what_rejects_holds_and_says_so(tmp_path: Path) -> None:
    content = MAIL.format("").replace("is 123456", "follows")
    done = rules_test(tmp_path, content=content)
    assert done.returncode == 0
    assert "found nothing:  code is (?P<code>\\d+)\n" in done.stdout
    assert "refused:        550 5.6.0 Rule shop: codes: the mail lacks" in done.stdout


def test_the_envelope_and_the_way_in_can_be_given(tmp_path: Path) -> None:
    done = rules_test(tmp_path, "--json", "--listener", "office")
    shown = json.loads(done.stdout)
    assert (shown["rule"], shown["usage"]) == ("office", "Register")
    job = MAIL.format("X-Job: a\n").replace("Subject: Your code", "Subject: x")
    shown = json.loads(rules_test(tmp_path, "--json", content=job).stdout)
    assert shown["rule"] == "rule 3"
    done = rules_test(tmp_path, "--json", "--to", "x@b.example", content=job)
    assert (done.returncode, json.loads(done.stdout)["rule"]) == (1, None)


def test_what_cannot_be_tested_is_said(tmp_path: Path) -> None:
    for content in ("a: b\n" * 1500 + "\n", "a: " + "b" * 300_000):
        done = rules_test(tmp_path, content=f"From: a@shop.example\n{content}")
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
    done = rules_test(tmp_path, "--listener", "offce")
    assert (done.returncode, done.stderr) == (
        2,
        "--listener offce: there is no listener of this name; known: local, office\n",
    )
    done = relay_command("rules", "test", "none.eml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("none.eml: No such file or directory")
    (tmp_path / "config.toml").write_text("[[rules]]\nsubject = '/(/'\n")
    done = relay_command("rules", "test", "mail.eml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "config.toml: rules[0] (rule 1): subject = '/(/': is no expression of RE2: "
        "missing ): (\n"
    )
