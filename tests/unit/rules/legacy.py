"""The mails of `tests/legacy`, each with its rule and what the rule finds.

Beside each mail stands a file with its rules, as an operator writes them, and two
tables of the test's: `mail` is its envelope, `variables` what the template gets.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay import config
from relay.app.rules import rules
from relay.model.submission import Envelope, MailId, Submission
from relay.rules.rules import Rules
from relay.templates.catalog import Templates
from relay.templates.source import Source

MAILS = Path(__file__).parents[2] / "legacy"
NAMES = sorted(path.stem for path in MAILS.glob("*.eml"))
LISTENERS = """
[[listeners]]
name = "local"

[[listeners]]
name = "office"
address = "localhost:1026"

"""
TEMPLATES = Templates(
    [Source("Generic", "s", "<p>x</p>")],
    email_address="noreply@acme.example",
    missing="empty",
)


@dataclass(frozen=True, slots=True)
class LegacyMail:
    """One mail of an application; `rules` is TOML, as the cookbook has it."""

    name: str
    application: str
    submission: Submission
    rules: str
    variables: dict[str, Any]


def legacy_mail(name: str) -> LegacyMail:
    text = (MAILS / f"{name}.toml").read_text("utf-8")
    known = tomllib.loads(text)
    mail = known["mail"]
    submission = Submission(
        MailId(name),
        Envelope(mail["sender"], tuple(mail["recipients"])),
        (MAILS / f"{name}.eml").read_bytes(),
        peer="127.0.0.1",
        listener=mail.get("listener", "local"),
        user=mail.get("user", ""),
    )
    return LegacyMail(
        name,
        mail["application"],
        submission,
        text[: text.index("[mail]")].strip() + "\n",
        known["variables"],
    )


def compiled(directory: Path, toml: str) -> Rules:
    """The rules of a settings file, read and compiled as at the start."""
    file = directory / "config.toml"
    file.write_text(LISTENERS + toml, "utf-8")
    made = rules(config.load(file, {}), TEMPLATES)
    assert made is not None
    return made
