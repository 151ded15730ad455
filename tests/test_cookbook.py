"""docs/cookbook.md as one settings file: each legacy mail becomes what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relay import config
from relay.app.rules import rules
from relay.app.templates import templates
from relay.content.encoded_words import decoded
from relay.content.header import parse
from relay.intake.prepare import Preparation
from tests.unit.rules.legacy import LISTENERS, NAMES, legacy_mail

COOKBOOK = (Path(__file__).parents[1] / "docs" / "cookbook.md").read_text("utf-8")
TOML = re.findall(r"^```toml\n(.*?)^```\n", COOKBOOK, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> config.Config:
    """All of the page's TOML in one file."""
    file = tmp_path_factory.mktemp("cookbook") / "config.toml"
    file.write_text(LISTENERS + "\n".join(TOML), "utf-8")
    return config.load(file, {})


@pytest.fixture(scope="module")
def preparation(settings: config.Config) -> Preparation:
    made = templates(settings)
    return Preparation(templates=made, rules=rules(settings, made))


def test_nothing_of_it_is_without_effect(settings: config.Config) -> None:
    assert config.warnings(settings) == []
    assert templates(settings).warnings == ()
    used = {rule.usage for rule in settings.rules} | {"Generic", ""}
    assert {template.usage_type for template in settings.templates} | {""} == used


def test_its_rules_are_those_of_the_legacy_mails() -> None:
    written = [toml for toml in TOML if toml.startswith("[[rules]]")]
    assert sorted(written) == sorted(legacy_mail(name).rules for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_mail_becomes_what_the_page_says(
    preparation: Preparation, name: str
) -> None:
    mail = legacy_mail(name)
    [made] = preparation.prepare(mail.submission).mails
    message = parse(made.content)
    shown = {
        field: decoded(found.value).strip()
        for field in ("subject", "from")
        if (found := message.first(field)) is not None
    }

    said = COOKBOOK.split(mail.rules)[1].partition("\n```toml")[0]

    assert f'name = "{made.choice.rule}"' in mail.rules
    if made.choice.template:
        assert made.choice.template == made.choice.usage
        assert f"of usage `{made.choice.usage}`" in said
        assert f"the subject `{shown['subject']}`" in said
    else:
        assert f"comes from `{shown['from']}`" in said
    variables = re.findall(r"^- `(\w+)`: `(.*)`$", said, re.MULTILINE)
    assert dict(variables) == mail.variables
