"""What the rules say, held against the rest of the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from relay.config.explain import Location
from relay.config.models import Config, Rule

CONDITIONS = (
    *("listener", "user", "client", "sender", "from_", "recipient"),
    *("subject", "body", "header"),
)


def name_of(rule: Rule, number: int) -> str:
    """What it is called; `number` counts from 0."""
    return rule.name or f"rule {number + 1}"


def mistakes(config: Config) -> Iterator[tuple[Location, str]]:
    """What names something that is not there, or is there twice."""
    listeners = [listener.name for listener in config.listeners]
    users = [user.name for user in config.users]
    names = [name_of(rule, number) for number, rule in enumerate(config.rules)]
    for number, rule in enumerate(config.rules):
        here = ("rules", number)
        name = names[number]
        if names.index(name) != number:
            yield (*here, "name"), f'= "{name}": given twice'
        for setting, given, known in (
            ("listener", rule.listener, listeners),
            ("user", rule.user, users),
        ):
            yield from (
                ((*here, setting), f'= "{one}": {_absent(name, setting, known)}')
                for one in given
                if one not in known
            )


def _absent(rule: str, what: str, known: Collection[str]) -> str:
    return (
        f'rule "{rule}": there is no {what} of this name; known: '
        f"{', '.join(known) or 'none'}"
    )


def warnings(config: Config) -> Iterator[str]:
    """What has no effect."""
    last = len(config.rules) - 1
    for number, rule in enumerate(config.rules):
        place = f'rules[{number}] "{name_of(rule, number)}"'
        if number < last and not any(getattr(rule, name) for name in CONDITIONS):
            yield f"{place}: has no condition, so no rule below it ever holds"
        if rule.extract and rule.variables_from != "text":
            yield f'{place}: extract counts with variablesFrom = "text" alone'
        if rule.variables_from == "text" and not rule.extract:
            yield f'{place}: variablesFrom = "text" finds nothing without extract'
        if "not_found" in rule.given and not rule.variables_from:
            yield f"{place}: notFound has no effect without variablesFrom"
