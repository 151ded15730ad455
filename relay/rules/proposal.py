"""A rule for a mail, proposed: conditions that hold for it, and what it would find.

A guess, for people who change it; but never a wrong one: each condition was held
against the mail, and each pattern found in it what it is to find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from relay.content.address import first_address
from relay.content.codes import codes_in
from relay.content.links import links_in
from relay.rules import expressions
from relay.rules.condition import conditions
from relay.rules.facts import Facts
from relay.rules.found import by_patterns
from relay.rules.shape import HALF, address_shape, as_glob, says_something, shape
from relay.rules.signs import NAME, sign_of
from relay.rules.source import Source

MOST_CODES, MOST_LINKS, MOST_LINES = 2, 3, 20
MOST_LOOKED_AT = 500  # links of a mail, in their order
MOST_TRIED = 30  # codes, links or lines, each a search through the text
MOST_HEADERS = 30
MOST_STARS = 3  # in a header that is worth comparing
MOST_NAME = 60
MOST_BEGINNING, WORDS = 5000, 4  # of a text, in which a line of so many words is sought

# Not names of people, though mail goes to them.
_NOBODY = frozenset(
    {
        *("admin", "info", "mail", "ops", "root", "support", "team", "user", "users"),
        *("dev", "office", "test", "the", "and", "new", "your", "password", "account"),
    }
)
_LEAVING = re.compile(
    r"unsubscribe|opt-?out|abmeld|abbestell|désabonn|desabonn|desinscri|disiscri"
    r"|cancelar|afmeld|avregistrer|wypisz|отпис",
    re.IGNORECASE,
)
_LINE = re.compile(r"^([A-Za-z][\w ./#-]{0,30}?) ?[:=] ++(\S.*)$", re.MULTILINE)
_ROUTINE = frozenset(
    {
        *("from", "to", "cc", "bcc", "subject", "date", "message-id", "received"),
        *("mime-version", "content-type", "content-transfer-encoding", "references"),
        *("content-disposition", "return-path", "in-reply-to", "dkim-signature"),
    }
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """`rule` is by the names of the settings, and finds `variables`.

    `conditions`, `headers` and `extract` would hold, too, and were not chosen.
    """

    rule: dict[str, Any]
    variables: dict[str, str] = field(repr=False)
    conditions: dict[str, str]
    headers: tuple[tuple[str, str], ...]
    extract: tuple[str, ...]


def proposal(facts: Facts) -> Proposal:
    """Propose a rule for the mail that the facts are of. Raises Refused as they do."""
    fields = [
        (field.name, facts.original.read(field)) for field in facts.original.fields
    ]
    names = frozenset(_names(facts))
    chosen = dict(_holding(facts, _conditions(facts, names)))
    sign = sign_of(fields)
    header = {}
    if sign is not None and _holds(facts, header={sign[0]: [sign[1]]}):
        header = {sign[0]: sign[1]}
    extract, variables = _patterns(facts, names)
    rule: dict[str, Any] = {"name": _name(chosen, header), **chosen}
    if header:
        rule["header"] = header
    if extract:
        rule |= {"variablesFrom": "text", "extract": extract}
    others = {
        name: value
        for name, value in _holding(facts, _others(facts))
        if name not in chosen
    }
    return Proposal(
        rule,
        variables,
        others,
        tuple(_headers(facts, fields, header)),
        tuple(_lines(facts, variables)),
    )


def _conditions(facts: Facts, names: frozenset[str]) -> Iterator[tuple[str, str]]:
    yield "sender", address_shape(facts.senders()[0].plain)
    glob = shape(facts.subjects()[0].plain, names)
    if says_something(glob):
        yield "subject", glob


def _others(facts: Facts) -> Iterator[tuple[str, str]]:
    for text in facts.froms()[:1]:
        yield "from", as_glob(text.plain)
    for text in facts.recipients()[:1]:
        yield "recipient", as_glob(text.plain)
    yield from (("listener", facts.listener), ("user", facts.user))
    lines = facts.bodies()[0].plain[:MOST_BEGINNING].splitlines()
    line = next((line for line in lines if len(line.split()) >= WORDS), "")
    yield "body", f"*{shape(line.strip()).strip('*')}*" if line else ""


def _holding(
    facts: Facts, given: Iterator[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Those that hold: all, but for what nobody can write down."""
    for name, value in given:
        if not value or HALF.search(value):
            continue
        if _holds(facts, **{"from_" if name == "from" else name: [value]}):
            yield name, value


def _holds(facts: Facts, **given: Any) -> bool:  # noqa: ANN401 - as Source has it
    errors: list[str] = []
    found = list(conditions(Source(name="", **given), errors))
    return not errors and all(one.asks.holds(facts) for one in found)


def _headers(
    facts: Facts, fields: Sequence[tuple[str, str]], chosen: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Further headers, each once, with a glob that holds."""
    seen = {*_ROUTINE, *map(str.lower, chosen)}
    for name, value in fields[:MOST_HEADERS]:
        if name.lower() in seen or not NAME.fullmatch(name):
            continue
        seen.add(name.lower())
        glob = shape(value)
        if not says_something(glob) or glob.count("*") > MOST_STARS:
            glob = "*"
        if _holds(facts, header={name: [glob]}):
            yield name, glob


def _name(chosen: Mapping[str, str], header: Mapping[str, str]) -> str:
    """What the rule may be called: its subject, in one line."""
    text = chosen.get("subject") or next(iter(header.values()), "*")
    text = text if says_something(text) else chosen.get("sender", "")
    words = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(words.replace("*", "…").split())[:MOST_NAME].strip() or "new rule"


def _names(facts: Facts) -> Iterator[str]:
    """Words by which the mail may call its one recipient."""
    if len(facts.recipients()) != 1:
        return
    address = facts.recipients()[0].plain
    to = next((text.plain for text in facts.header("to")), "")
    known = address.rpartition("@")[0]
    if first_address(to).lower() == address.lower():
        known += " " + to.rpartition("<")[0]
    for word in re.findall(r"[^\W\d_]{2,}", known):
        if word.lower() not in _NOBODY and (len(word) > 2 or not word.isascii()):
            yield word.lower()


def _patterns(facts: Facts, names: frozenset[str]) -> tuple[list[str], dict[str, str]]:
    """Expressions for codes and links, and what they find."""
    text = facts.bodies()[0].plain
    found: dict[str, str] = {}
    extract: list[str] = []

    def take(name: str, value: str, tried: Callable[[str], list[str]]) -> bool:
        number = sum(one.rstrip("23456789") == name for one in found)
        called = f"{name}{number + 1}" if number else name
        if value in found.values() or HALF.search(value):
            return False
        for source in tried(called):
            if _finds(facts, source) == {called: value}:
                extract.append(source)
                found[called] = value
                return True
        return False

    taken = 0
    for code in islice(codes_in(text), MOST_TRIED):
        taken += take(
            "code",
            code.value,
            lambda name: expressions.code(text, code, name, names),  # noqa: B023
        )
        if taken == MOST_CODES:
            break
    taken = 0
    for link in _links(text, names, any_at_all=not extract)[:MOST_TRIED]:
        taken += take(
            "unsubscribe" if _LEAVING.search(link) else "link",
            link,
            lambda name: expressions.link(link, name, names),  # noqa: B023
        )
        if taken == MOST_LINKS:
            break
    return extract, found


def _links(text: str, names: frozenset[str], *, any_at_all: bool) -> list[str]:
    """Those that another mail would have others of; `any_at_all`: else the first."""
    links = list(dict.fromkeys(islice(links_in(text), MOST_LOOKED_AT)))
    found = [link for link in links if expressions.changes(link, names)]
    if not found and any_at_all:
        found = links[:1]
    return sorted(found, key=lambda link: _LEAVING.search(link) is not None)


def _lines(facts: Facts, taken: Mapping[str, str]) -> Iterator[str]:
    """Expressions for lines such as `Host: web01`, as monitoring writes them."""
    seen = {*taken}
    count = 0
    for match in islice(_LINE.finditer(facts.bodies()[0].plain), MOST_TRIED):
        label, value = match[1], match[2].rstrip()
        words = re.findall(r"[a-z0-9]+", label.lower())
        name = words[0] + "".join(map(str.title, words[1:])) if words else ""
        if not name or name in seen:
            continue
        between = match[0][len(label) : match.start(2) - match.start()]
        source = f"(?m)^{expressions.escaped(label + between)}(?P<{name}>.*\\S)"
        if _finds(facts, source) == {name: value}:
            seen.add(name)
            count += 1
            yield source
        if count == MOST_LINES:
            return


def _finds(facts: Facts, source: str) -> Mapping[str, Any]:
    errors: list[str] = []
    find = by_patterns([source], "", errors)
    return {} if errors else find(facts).variables
