"""One condition of a rule: what it is called, what it asks, and whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from relay.rules.facts import Facts, Texts
from relay.rules.pattern import BadPattern, Pattern, address_pattern, pattern
from relay.rules.source import Source

Network = IPv4Network | IPv6Network
TextsOf = Callable[[Facts], Texts]


class Named(NamedTuple):
    """That a fact is one of some names."""

    fact: Callable[[Facts], str]
    names: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        return self.fact(facts) in self.names


class Within(NamedTuple):
    """That the client's address is in one of some networks, as version, mask, number.

    As numbers: to ask the networks themselves takes several times as long.
    """

    networks: tuple[tuple[int, int, int], ...]

    def holds(self, facts: Facts) -> bool:
        client = facts.client()
        if client is None:
            return False
        version, number = client
        return any(
            version == its and number & mask == network
            for its, mask, network in self.networks
        )


class Like(NamedTuple):
    """That one of some texts is like one of the patterns.

    `absent`: or that there is none.
    """

    texts: TextsOf
    patterns: tuple[Pattern, ...]
    absent: bool = False

    def holds(self, facts: Facts) -> bool:
        texts = self.texts(facts)
        if not texts:
            return self.absent
        return any(pattern.test(text) for pattern in self.patterns for text in texts)


class Condition(NamedTuple):
    """`name` is the setting's: `subject`, `header.X-Mailer`."""

    name: str
    asks: Named | Within | Like


def conditions(source: Source, errors: list[str]) -> Iterator[Condition]:
    """Those of a rule, the cheapest to ask first; what does not compile to `errors`."""

    def like(
        name: str,
        texts: TextsOf,
        given: Sequence[str],
        compiled: Callable[[str], Pattern] = pattern,
        *,
        absent: bool = False,
    ) -> Condition:
        patterns = []
        for one in given:
            try:
                patterns.append(compiled(one))
            except BadPattern as error:
                errors.append(
                    f"{source.place}: {name} = {one!r}: is no expression of RE2: "
                    f"{error}"
                )
        return Condition(name, Like(texts, tuple(patterns), absent))

    if source.listener:
        names = frozenset(source.listener)
        yield Condition("listener", Named(lambda facts: facts.listener, names))
    if source.user:
        names = frozenset(source.user)
        yield Condition("user", Named(lambda facts: facts.user, names))
    if source.client:
        yield Condition("client", _within(source.client))
    if source.sender:
        yield like("sender", Facts.senders, source.sender, address_pattern)
    if source.recipient:
        yield like("recipient", Facts.recipients, source.recipient, address_pattern)
    if source.from_:
        yield like("from", Facts.froms, source.from_, address_pattern)
    if source.subject:
        yield like("subject", Facts.subjects, source.subject)
    for header, given in source.header.items():
        present = [one for one in given if one]
        texts = _header(header.lower())
        yield like(f"header.{header}", texts, present, absent="" in given)
    if source.body:
        yield like("body", Facts.bodies, source.body)


def _within(networks: Sequence[Network]) -> Within:
    return Within(
        tuple(
            (each.version, int(each.netmask), int(each.network_address))
            for each in networks
        )
    )


def _header(name: str) -> TextsOf:
    return lambda facts: facts.header(name)
