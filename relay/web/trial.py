"""What a rule that a person writes would do with a mail; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from relay.rules.facts import Facts
from relay.rules.rules import Rule, RuleError
from relay.rules.written import written

# Of the settings of a rule, those that say which mail it is for.
CONDITIONS = (
    *("listener", "user", "client", "sender", "from", "recipient", "subject", "body"),
)
MOST = 50  # conditions or expressions

# Raises RuleError.
Compile = Callable[[Mapping[str, Any]], Rule]


def tried(facts: Facts, given: Mapping[str, Any], compiled: Compile) -> dict[str, Any]:
    """Each condition and expression of `given`, the settings of a rule, by itself.

    Raises Refused where the mail's header is over the limits.
    """
    conditions = [
        _condition(facts, name, setting, compiled)
        for name, setting in _conditions(given)
    ]
    expressions = given.get("extract", ())
    looks = given.get("variablesFrom") == "text" and isinstance(expressions, list)
    extract = [
        _expression(facts, one, compiled) for one in (expressions if looks else ())
    ]
    variables: dict[str, Any] = {}
    missing: list[str] = []
    problem = ""
    try:
        rule = compiled(given)
    except RuleError as error:
        problem = str(error)
    else:
        found = rule.find(facts)
        variables = {**rule.source.variables, **found.variables}
        missing = list(found.missing)
    return {
        "holds": not problem and all(one["holds"] for one in conditions),
        "conditions": conditions,
        "extract": extract,
        "variables": variables,
        "missing": missing,
        "problem": problem,
        "toml": "" if problem else written(given),
    }


def _conditions(given: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What each is called, and the settings of a rule that has it alone."""
    for name in CONDITIONS:
        if name in given:
            yield name, {name: given[name]}
    header = given.get("header")
    if isinstance(header, dict):
        for name, value in header.items():
            yield f"header.{name}", {"header": {name: value}}


def _condition(
    facts: Facts, name: str, setting: Mapping[str, Any], compiled: Compile
) -> dict[str, Any]:
    try:
        failed = compiled(setting).failed(facts)
    except RuleError as error:
        return {"name": name, "holds": False, "problem": str(error)}
    return {"name": name, "holds": not failed, "problem": ""}


def _expression(facts: Facts, source: object, compiled: Compile) -> dict[str, Any]:
    shown = {"pattern": source if isinstance(source, str) else ""}
    try:
        rule = compiled({"variablesFrom": "text", "extract": [source]})
    except RuleError as error:
        return {**shown, "variables": {}, "problem": str(error)}
    return {**shown, "variables": dict(rule.find(facts).variables), "problem": ""}
