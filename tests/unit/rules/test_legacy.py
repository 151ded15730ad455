"""Mails of legacy applications: each has its rule, which finds what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.rules.facts import Facts
from tests.unit.rules.legacy import NAMES, compiled, legacy_mail


def test_there_are_mails_of_many_applications() -> None:
    assert len({legacy_mail(name).application for name in NAMES}) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_each_mail_has_its_rule_and_its_variables(tmp_path: Path, name: str) -> None:
    mail = legacy_mail(name)
    facts = Facts.of(mail.submission)

    rule = compiled(tmp_path, mail.rules).rule_for(facts)

    assert rule is not None
    found = rule.find(facts)
    assert found.missing == ()
    assert {**rule.source.variables, **found.variables} == mail.variables


def test_each_mail_has_no_other_application_s_rule(tmp_path: Path) -> None:
    rules = "\n".join(legacy_mail(name).rules for name in NAMES)
    every = compiled(tmp_path, rules)

    for name in NAMES:
        mail = legacy_mail(name)
        found = every.rule_for(Facts.of(mail.submission))
        assert found is not None
        assert f'name = "{found.name}"' in mail.rules
