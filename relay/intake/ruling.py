"""What a rule says of a mail's usage, locale and variables, where the mail does not."""

from __future__ import annotations

from dataclasses import replace

from relay.intake.control_headers import Controls
from relay.model.mail import Choice
from relay.model.replies import not_found
from relay.model.reply import Refused
from relay.rules.facts import Facts
from relay.rules.rules import Rule


def ruled(controls: Controls, rule: Rule, facts: Facts) -> Controls:
    """What the mail asks for, and after it what its rule found and says.

    Raises Refused where the rule found nothing in it and wants it refused then.
    """
    says = rule.source
    found = rule.find(facts)
    usage = controls.usage or found.usage or says.usage
    if found.missing and not controls.usage:
        match says.not_found:
            case "pass":  # as if the rule had no usage
                return controls
            case "reject":
                raise Refused(not_found(rule.name))
        usage = says.not_found
    variables = {**says.variables, **found.variables, **controls.variables}
    locale = controls.locale
    if not locale and "locale" not in controls.variables:
        locale = found.locale or _text(found.variables.get("locale")) or says.locale
    return controls._replace(usage=usage, locale=locale, variables=variables)


def chosen(choice: Choice, rule: Rule) -> Choice:
    """What was chosen for a mail, with the name of its rule, and its priority."""
    priority = rule.source.priority
    if priority is None:
        priority = choice.priority
    return replace(choice, rule=rule.name, priority=priority)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
