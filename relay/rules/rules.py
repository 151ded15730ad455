"""All rules of the settings, compiled: which one a mail has, and why not the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relay.rules import index
from relay.rules.condition import Condition, conditions
from relay.rules.edits import Edits
from relay.rules.facts import Facts
from relay.rules.found import find_by
from relay.rules.source import Source

# The kinds of conditions, the cheapest to ask first; headers come before the body.
_ORDER = ("listener", "user", "client", "sender", "recipient", "from", "subject")


class RuleError(Exception):
    """The rules cannot be used; the text is for the operator, a line a mistake."""


class Rule:
    """One compiled rule. `find` says what it finds in a mail that it holds for.

    `about_ses`: whether any of it is for the SES call.
    """

    def __init__(self, source: Source, errors: list[str]) -> None:
        self.source = source
        self.name = source.name
        self.conditions = tuple(conditions(source, errors))
        self.find = find_by(source.variables_from, source.extract, source.place, errors)
        self.about_ses = bool(source.configuration_set or source.tags)
        self.edits = Edits(source, errors)

    def failed(self, facts: Facts) -> str:
        """The name of the first condition that does not hold, "" where all do."""
        for condition in self.conditions:
            if not condition.asks.holds(facts):
                return condition.name
        return ""


# Of a mail that has none: it changes nothing.
NO_RULE = Rule(Source(name=""), [])


class Verdict(NamedTuple):
    """What became of one rule; `failed` is a condition's name, "" where it holds."""

    rule: Rule
    failed: str


class _Step(NamedTuple):
    """One kind of condition; rules are bits.

    `having`: the rules with such a condition; `done`: those with none here or later.
    """

    having: int
    done: int
    holding: index.Holding


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
        self._bits = (1 << len(self.all)) - 1
        self._steps = tuple(_steps(self.all))

    def rule_for(self, facts: Facts) -> Rule | None:
        """The mail's rule. Raises Refused where its header is over the limits."""
        alive = self._bits
        for having, done, holding in self._steps:
            if certain := alive & done:
                # What stands behind the first that holds for sure is not asked.
                alive &= ((certain & -certain) << 1) - 1
            if asked := alive & having:
                alive ^= asked & ~holding(facts, asked)
                if not alive:
                    return None
        return self.all[(alive & -alive).bit_length() - 1] if alive else None

    def verdicts(self, facts: Facts) -> tuple[Verdict, ...]:
        """Every rule with the first condition that failed, also behind the mail's."""
        return tuple(Verdict(rule, rule.failed(facts)) for rule in self.all)


def _steps(rules: Sequence[Rule]) -> Iterator[_Step]:
    kinds: dict[str, list[tuple[int, Condition]]] = {}
    for number, rule in enumerate(rules):
        for condition in rule.conditions:
            # Of headers each is a kind of its own, in whatever case it is written.
            key = condition.name.lower()
            kinds.setdefault(key, []).append((1 << number, condition))
    left = {1 << number: len(rule.conditions) for number, rule in enumerate(rules)}
    for key in sorted(kinds, key=_place):
        done = sum(bit for bit, count in left.items() if not count)
        having = 0
        for bit, _ in kinds[key]:
            having |= bit
            left[bit] -= 1
        yield _Step(having, done, index.holding(kinds[key]))


def _place(kind: str) -> tuple[int, str]:
    if kind in _ORDER:
        return _ORDER.index(kind), kind
    return len(_ORDER) + (kind == "body"), kind
