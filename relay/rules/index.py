"""Which of many rules' conditions of one kind hold, all asked at once.

Rules are bits, the first rule the lowest. A relay may have a hundred rules, of which
a mail fits one: to ask each in turn would take most of the time that a mail has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from relay.rules.condition import Condition, Like, Named, TextsOf, Within
from relay.rules.facts import Facts
from relay.rules.pattern import Test
from relay.rules.text import Text

# What an app has in each of its mails, so that the last answers are good for the next.
_RECURRING = {"sender": Facts.sender, "from": Facts.authors}
REMEMBERED = 256

# Of the bits that are asked about, those whose condition holds; it may say more bits.
Holding = Callable[[Facts, int], int]


def holding(conditions: Sequence[tuple[int, Condition]]) -> Holding:
    """Index conditions of one name, which are of one kind, each with its rule's bit."""
    bits = [bit for bit, _ in conditions]
    asks = [condition.asks for _, condition in conditions]
    named = [one for one in asks if isinstance(one, Named)]
    within = [one for one in asks if isinstance(one, Within)]
    like = [one for one in asks if isinstance(one, Like)]
    if named:
        return _named(named[0].fact, list(zip(bits, named, strict=True)))
    if within:
        return _within(list(zip(bits, within, strict=True)))
    recurring = _RECURRING.get(conditions[0][1].name)
    return _like(like[0].texts, list(zip(bits, like, strict=True)), recurring)


def _named(fact: Callable[[Facts], str], asked: Sequence[tuple[int, Named]]) -> Holding:
    known: dict[str, int] = {}
    for bit, ask in asked:
        for name in ask.names:
            known[name] = known.get(name, 0) | bit
    return lambda facts, _: known.get(fact(facts), 0)


def _within(asked: Sequence[tuple[int, Within]]) -> Holding:
    # The networks of each size, by their numbers.
    sizes: dict[tuple[int, int], dict[int, int]] = {}
    for bit, ask in asked:
        for version, mask, network in ask.networks:
            known = sizes.setdefault((version, mask), {})
            known[network] = known.get(network, 0) | bit

    def find(facts: Facts, _: int) -> int:
        client = facts.client()
        if client is None:
            return 0
        found = 0
        for (version, mask), known in sizes.items():
            if version == client[0]:
                found |= known.get(client[1] & mask, 0)
        return found

    return find


def _like(
    texts: TextsOf,
    asked: Sequence[tuple[int, Like]],
    recurring: Callable[[Facts], Sequence[str]] | None,
) -> Holding:
    index = _Texts()
    absent = 0
    for bit, ask in asked:
        absent |= bit if ask.absent else 0
        for pattern in ask.patterns:
            if not pattern.words:
                index.tests.append((bit, pattern.needle, pattern.test))
            for kind, word in pattern.words:
                index.add(kind, word, bit)

    def find(facts: Facts, wanted: int) -> int:
        found = 0
        some = texts(facts)
        if not some:
            return absent
        for text in some:
            found |= index.find(text, wanted & ~found)
        return found

    if recurring is None:
        return find

    @lru_cache(maxsize=REMEMBERED)
    def of(plain: str) -> int:
        return index.find(Text(plain), -1)

    def recall(facts: Facts, _: int) -> int:
        found = 0
        for plain in recurring(facts):
            found |= of(plain)
        return found

    return recall


class _Texts:
    """Bits by what a text is, begins or ends with or has, and by tests in turn."""

    def __init__(self) -> None:
        # Each with what is in all texts for which it holds.
        self.tests: list[tuple[int, str, Test]] = []
        self._whole: dict[str, int] = {}
        self._within: dict[str, int] = {}
        # By the length of the beginning, and of the end.
        self._starts: dict[int, dict[str, int]] = {}
        self._ends: dict[int, dict[str, int]] = {}

    def add(self, kind: str, word: str, bit: int) -> None:
        match kind:
            case "whole":
                known = self._whole
            case "within":
                known = self._within
            case _:
                sizes = self._starts if kind == "start" else self._ends
                known = sizes.setdefault(len(word), {})
        known[word] = known.get(word, 0) | bit

    def find(self, text: Text, wanted: int) -> int:
        lower = text.lower
        found = self._whole.get(lower, 0)
        for size, known in self._starts.items():
            found |= known.get(lower[:size], 0)
        for size, known in self._ends.items():
            # A text that is shorter is as a whole, and is none of them.
            found |= known.get(lower[-size:] if size else "", 0)
        for word, bits in self._within.items():
            if word in lower:
                found |= bits
        for bit, needle, test in self.tests:
            if needle in lower and wanted & bit and not found & bit and test(text):
                found |= bit
        return found
