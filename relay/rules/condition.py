"""One condition of a rule: what it is called, and whether it holds for some facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from operator import attrgetter
from typing import NamedTuple

from relay.rules.facts import Facts
from relay.rules.pattern import BadPattern, Test, address_pattern, one_of, pattern
from relay.rules.source import Source
from relay.rules.text import Text

Holds = Callable[[Facts], bool]
Network = IPv4Network | IPv6Network


class Condition(NamedTuple):
    """`name` is the setting's: `subject`, `header.X-Mailer`."""

    name: str
    holds: Holds


def conditions(source: Source, errors: list[str]) -> Iterator[Condition]:
    """Those of a rule, the cheapest to ask first; what does not compile to `errors`."""
    if source.listener:
        yield Condition("listener", _named(attrgetter("listener"), source.listener))
    if source.user:
        yield Condition("user", _named(attrgetter("user"), source.user))
    if source.client:
        yield Condition("client", _within(source.client))
    for name, given, texts, kind in (
        ("sender", source.sender, "senders", address_pattern),
        ("recipient", source.recipient, "recipients", address_pattern),
        ("from", source.from_, "froms", address_pattern),
        ("subject", source.subject, "subjects", pattern),
    ):
        if given:
            test = _test(given, kind, f"{source.place}: {name}", errors)
            yield Condition(name, _some(attrgetter(texts), test))
    for header, given in source.header.items():
        name = f"header.{header}"
        place = f'{source.place}: header."{header}"'
        present = [one for one in given if one]
        test = _test(present, pattern, place, errors)
        yield Condition(name, _header(header, test, absent="" in given))
    if source.body:
        test = _test(source.body, pattern, f"{source.place}: body", errors)
        yield Condition("body", _some(attrgetter("bodies"), test))


def _test(
    given: Sequence[str],
    kind: Callable[[str], Test],
    place: str,
    errors: list[str],
) -> Test:
    tests = []
    for one in given:
        try:
            tests.append(kind(one))
        except BadPattern as error:
            errors.append(f"{place} = {one!r}: is no expression of RE2: {error}")
    return one_of(tests)


def _named(fact: Callable[[Facts], str], names: Sequence[str]) -> Holds:
    known = frozenset(names)
    return lambda facts: fact(facts) in known


def _within(networks: Sequence[Network]) -> Holds:
    # As numbers: to ask the networks themselves takes several times as long.
    ranges = [
        (each.version, int(each.network_address), int(each.netmask))
        for each in networks
    ]

    def holds(facts: Facts) -> bool:
        if facts.client is None:
            return False
        version, number = facts.client
        return any(
            version == its and number & mask == network for its, network, mask in ranges
        )

    return holds


def _some(texts: Callable[[Facts], Sequence[Text]], test: Test) -> Holds:
    return lambda facts: any(map(test, texts(facts)))


def _header(name: str, test: Test, *, absent: bool) -> Holds:
    key = name.lower()

    def holds(facts: Facts) -> bool:
        found = facts.header(key)
        return any(map(test, found)) if found else absent

    return holds
