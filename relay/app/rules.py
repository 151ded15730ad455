"""The rules that the settings name, compiled, and held against the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from relay import config
from relay.config import Config, ConfigError
from relay.config.models import Rule
from relay.config.rules import name_of
from relay.model.mail import Priority
from relay.rules.rules import Rule as CompiledRule
from relay.rules.rules import RuleError, Rules
from relay.rules.source import Source
from relay.templates.catalog import Templates

NO_USAGE = ("pass", "reject")


def rules(settings: Config, templates: Templates) -> Rules | None:
    """All of them, None where the settings have none. Raises RuleError."""
    if not settings.rules:
        return None
    sources = [
        _source(rule, number, settings) for number, rule in enumerate(settings.rules)
    ]
    mistakes = [
        mistake for source in sources for mistake in _unknown(source, templates)
    ]
    try:
        compiled = Rules(sources)
    except RuleError as error:
        mistakes.append(str(error))
    if mistakes:
        raise RuleError("\n".join(mistakes))
    return compiled


def one_rule(given: Mapping[str, Any]) -> CompiledRule:
    """A rule that a person writes on the page. Raises RuleError."""
    try:
        source = _source(config.one_rule(given), 0, Config())
    except ConfigError as error:
        raise RuleError(str(error)) from None
    [rule] = Rules([replace(source, place="rule")]).all
    return rule


def _source(rule: Rule, number: int, settings: Config) -> Source:
    name = name_of(rule, number)
    return Source(
        name=name,
        place=f"{settings.file or 'settings'}: rules[{number}] ({name})",
        listener=rule.listener,
        user=rule.user,
        client=rule.client,
        sender=rule.sender,
        from_=rule.from_,
        recipient=rule.recipient,
        subject=rule.subject,
        body=rule.body,
        header=rule.header,
        usage=rule.usage,
        locale=rule.locale,
        variables=rule.variables,
        variables_from=rule.variables_from,
        extract=rule.extract,
        not_found=rule.not_found,
        account=rule.account,
        configuration_set=rule.configuration_set_name,
        tags=rule.tags,
        headers=rule.headers,
        priority=Priority[rule.priority.upper()] if rule.priority else None,
        set_from=rule.set_from,
        keep_from=rule.keep_from,
        tracking=rule.tracking,
    )


def _unknown(source: Source, templates: Templates) -> Iterator[str]:
    """Usages that no template is for."""
    known = ", ".join(templates.usages) or "none"
    generic = "Generic" in templates.usages
    if source.usage and source.usage not in templates.usages and not generic:
        yield (
            f"{source.place}: usage = {source.usage!r}: has no template, and there is "
            f"no Generic; known: {known}"
        )
    # No word for Generic here: a misspelt `reject` would be one.
    if source.not_found not in (*NO_USAGE, *templates.usages):
        yield (
            f"{source.place}: notFound = {source.not_found!r}: must be pass, reject or "
            f"a usage that has a template; known: {known}"
        )
