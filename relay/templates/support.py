"""What common mail programs do not take, by caniemail's data of `caniemail.json`.

`scripts/caniemail.py` makes that file, and says what is in it and what is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from relay.content.css import AtRule, Declaration, Selector, statements

Programs = frozenset[int]

# Which has comments of its own, to show and to hide from it.
OUTLOOK = "Outlook for Windows"

_FUNCTION = re.compile(r"(?<![A-Za-z0-9_-])([a-z-]{1,20})\(", re.IGNORECASE)
_UNIT = re.compile(r"(?<![A-Za-z0-9_#-])[0-9]*\.?[0-9]+([a-z]{2,4})\b", re.IGNORECASE)
_PSEUDO = re.compile(r"::?[a-z-]{1,30}", re.IGNORECASE)
_STRING = re.compile(r"\"[^\"]*+\"|'[^']*+'")
_URL = re.compile(r"""url\(\s*+["']?([^"')]*+)""", re.IGNORECASE)
_ENDING = re.compile(r"\.[a-z0-9]{2,5}(?=$|[?#])", re.IGNORECASE)
# What asks for nothing.
_PLAIN = frozenset(
    ("none", "normal", "auto", "initial", "inherit", "unset", "static", "relative")
)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """`what`: as it is called; at `start`, some programs do not take it."""

    what: str
    start: int
    programs: Programs


class Support:
    """The table, asked for by what stands in a template."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.date: str = table["date"]
        self._programs: list[str] = table["programs"]
        self._table: dict[str, dict[str, Programs]] = {
            place: {name: frozenset(failing) for name, failing in things.items()}
            for place, things in table.items()
            if isinstance(things, dict)
        }
        self.all: Programs = frozenset(range(len(self._programs)))
        self.outlook: Programs = frozenset({self._programs.index(OUTLOOK)})

    def names(self, programs: Programs) -> str:
        """The programs in words."""
        *some, last = (self._programs[number] for number in sorted(programs))
        return f"{', '.join(some)} and {last}" if some else last

    def element(self, name: str) -> Programs:
        return self._of("elements", name)

    def attribute(self, name: str) -> Programs:
        return self._of("attributes", name)

    def image(self, address: str) -> tuple[str, Programs]:
        """What kind of image an address leads to, and who does not show it."""
        if address[:5].lower() == "data:":
            return "data: images", self._of("images", "data:")
        ending = _ENDING.search(address.partition("?")[0].partition("#")[0])
        kind = ending[0].lower() if ending else ""
        return f"{kind} images", self._of("images", kind)

    def css(self, css: str, *, in_block: bool = False) -> Iterator[Unsupported]:
        """What stands in a style element, or with `in_block` in a style attribute."""
        plain: set[tuple[int, str]] = set()  # what each block has said without risk
        for one in statements(css, in_block=in_block):
            match one:
                case AtRule(name, _, start):
                    found = [(f"@{name}", self._of("atRules", name))]
                case Selector(text, start):
                    found = list(self._selector(text))
                case Declaration(name, _, start, block):
                    found = list(self._declaration(one))
                    key = "background" if name.startswith("background") else name
                    if not found:
                        plain.add((block, key))
                    elif (block, key) in plain:
                        continue  # it adds to what stands before, for who takes it
            unseen = self._unseen(one.around)
            if unseen is None:
                continue
            for what, failing in found:
                if failing - unseen:
                    yield Unsupported(what, start, failing - unseen)

    def _of(self, place: str, name: str) -> Programs:
        return self._table[place].get(name.lower(), frozenset())

    def _unseen(self, around: Iterable[str]) -> Programs | None:
        """Who does not look inside these at-rules; None: it is for who takes it."""
        unseen: Programs = frozenset()
        for rule in around:
            name = rule[1:].split(maxsplit=1)[0].split("(")[0].lower()
            if name in ("supports", "font-face", "keyframes", "-webkit-keyframes"):
                return None
            unseen |= self._of("around", name)
            if "prefers-color-scheme" in rule:
                unseen |= self._of("around", "prefers-color-scheme")
        return unseen

    def _selector(self, text: str) -> Iterator[tuple[str, Programs]]:
        for name in dict.fromkeys(_PSEUDO.findall(_STRING.sub("", text).lower())):
            # The older spelling of these has one colon.
            key = f":{name}" if name in (":before", ":after") else name
            if failing := self._of("selectors", key):
                yield name, failing

    def _declaration(self, one: Declaration) -> Iterator[tuple[str, Programs]]:
        name = one.name
        value = one.value.lower().partition("!")[0].strip()
        if value in _PLAIN or name.startswith("--"):
            return
        if failing := self._of("properties", name):
            yield name, failing
        if name == "display" and (failing := self._of("display", value)):
            yield f"display:{value}", failing
        bare = _URL.sub("", _STRING.sub("", value))
        for function in dict.fromkeys(_FUNCTION.findall(bare)):
            if failing := self._of("functions", function):
                yield f"{function}()", failing
        for unit in dict.fromkeys(_UNIT.findall(bare)):
            if failing := self._of("units", unit):
                yield f"the unit {unit}", failing
        for address in _URL.findall(one.value):
            what, failing = self.image(address.strip())
            if failing:
                yield what, failing


@cache
def support() -> Support:
    """The table in the package, read once."""
    file = Path(__file__).with_name("caniemail.json")
    return Support(json.loads(file.read_text("utf-8")))
