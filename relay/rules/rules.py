"""All rules of the settings, compiled: which one a mail has, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relay.rules.condition import conditions
from relay.rules.facts import Facts
from relay.rules.found import find_by
from relay.rules.source import Source


class RuleError(Exception):
    """The rules cannot be used; the text is for the operator, a line a mistake."""


class Rule:
    """One compiled rule. `find` says what it finds in a mail that it holds for."""

    def __init__(self, source: Source, errors: list[str]) -> None:
        self.source = source
        self.name = source.name
        self.conditions = tuple(conditions(source, errors))
        self.find = find_by(source.variables_from, source.extract, source.place, errors)
        self.tests = tuple(condition.holds for condition in self.conditions)

    def failed(self, facts: Facts) -> str:
        """The name of the first condition that does not hold, "" where all do."""
        for condition in self.conditions:
            if not condition.holds(facts):
                return condition.name
        return ""


class Verdict(NamedTuple):
    """What became of one rule; `failed` is a condition's name, "" where it holds."""

    rule: Rule
    failed: str


class Rules:
    """The rules in their order; the first that holds is the mail's."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Raises RuleError, with a line for each mistake."""
        errors: list[str] = []
        self.all = tuple(Rule(source, errors) for source in sources)
        if errors:
            raise RuleError("\n".join(errors))
        self.names = tuple(rule.name for rule in self.all)
        # Whether any mail's body is looked at, and whether any gets a usage by them.
        self.read_bodies = any(
            source.body or source.variables_from for source in sources
        )
        self.name_usages = any(
            source.usage or source.variables_from for source in sources
        )

    def rule_for(self, facts: Facts) -> Rule | None:
        """The mail's rule. Raises Refused where its header is over the limits."""
        # Two loops, and no call of ours between them: mail waits for all of it.
        for rule in self.all:
            for test in rule.tests:
                if not test(facts):
                    break
            else:
                return rule
        return None

    def verdicts(self, facts: Facts) -> tuple[Verdict, ...]:
        """Every rule with the first condition that failed, also behind the mail's."""
        return tuple(Verdict(rule, rule.failed(facts)) for rule in self.all)
