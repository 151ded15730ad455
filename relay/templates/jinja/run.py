"""One mail's rendering: its values, what it has left, and what it found missing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from jinja2 import Undefined

from relay.content.original import Original
from relay.templates.jinja.missing import Missing
from relay.templates.limits import (
    MOST_BITS,
    MOST_BYTES,
    MOST_NESTED,
    Budget,
    RanAway,
)
from relay.templates.placeholder import as_text, built_in

# What an entry of a list or an object counts for, beside its own characters.
_EACH = 10


class Run(Budget):
    """Everything that belongs to one mail while a template makes it."""

    def __init__(
        self,
        variables: Mapping[str, Any],
        original: Original,
        *,
        missing: str,
        locale: str,
        timezone: str,
    ) -> None:
        super().__init__()
        self.variables = dict(variables)
        self.original = original
        self.locale = locale
        self.timezone = timezone
        self.not_given: dict[str, None] = {}
        # What is printed, and not in a variable that is given.
        self.lacking: dict[str, None] = {}
        self._missing = missing
        self.weigh(self.variables)

    def missing(self, name: str) -> Missing:
        """A variable that is not given."""
        text = f"{{{{ {name} }}}}" if self._missing == "keep" else ""
        return Missing(name, text, self._use if self._missing == "reject" else None)

    def _use(self, name: str) -> None:
        self.not_given[name] = None

    def built_in(self, name: str) -> str:
        """Something of the original mail."""
        text = built_in(self.original, name)
        self.size(len(text))
        return text

    def text(self, value: object, name: str = "") -> str:
        """A value as it is printed; HTML stays marked as such. Raises Refused."""
        if isinstance(value, str):
            self.work(len(value))
            return value
        if isinstance(value, Undefined):
            return str(value)
        return as_text(value, name or "in an expression")

    def bounded(self, value: Any) -> Any:
        """The same value, if it is not too large. Raises RanAway."""
        if isinstance(value, str):
            self.size(len(value))
        elif isinstance(value, list | tuple | dict):
            self.weigh(value)
        elif isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise RanAway(f"a number of more than {MOST_BITS:,} bits")
        return value

    def weigh(self, value: object) -> None:
        """Look at the size of a list or an object with all that is in it.

        A list that holds another twice counts it twice, as who prints or compares it
        does. Raises RanAway.
        """
        self._weight(value, 0, 0)

    def _weight(self, value: object, weight: int, depth: int) -> int:
        """`weight` and the value's own, in characters."""
        weight += _EACH
        if isinstance(value, str):
            weight += len(value)
        elif isinstance(value, dict):
            self.work(len(value) * _EACH)
            for key, inner in value.items():
                weight = self._weight(inner, weight + len(str(key)), depth + 1)
        elif isinstance(value, list | tuple):
            self.work(len(value) * _EACH)
            for inner in value:
                weight = self._weight(inner, weight, depth + 1)
        if depth > MOST_NESTED:
            raise RanAway(f"lists in lists, more than {MOST_NESTED} deep")
        if weight > MOST_BYTES:
            raise RanAway(f"values of more than {MOST_BYTES:,} characters together")
        return weight


class Runs(threading.local):
    """The run that this thread is in."""

    run: Run
