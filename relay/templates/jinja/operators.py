"""What + - * / // % ** and ~ make, looked at before it is made."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup, escape

from relay.templates.jinja.missing import Missing
from relay.templates.jinja.run import Run
from relay.templates.limits import MOST_BITS, RanAway

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "**": operator.pow,
    "%": operator.mod,
}
# What % may stand for, with a width that is written out and small.
_PRINTF = re.compile(
    r"%(?:\(([^()]*)\))?[-#0 +]*(\d{0,9})(?:\.(\d{0,9}))?[hlL]?([a-zA-Z%])"
)


def calculated(run: Run, sign: str, left: Any, right: Any) -> Any:
    """What the operator makes of both. Raises RanAway."""
    for value in (left, right):
        if isinstance(value, Missing):
            value.use()
            return value
    if sign == "%" and isinstance(left, str):
        return formatted(run, left, right)
    if isinstance(left, str) or isinstance(right, str):
        return _texts(run, sign, left, right)
    if sign in ("+", "*") and (_is_list(left) or _is_list(right)):
        return _lists(run, sign, left, right)
    if sign == "**":
        _look_at_power(left, right)
    run.work(20)
    return run.bounded(_OPERATORS[sign](left, right))


def concatenated(run: Run, values: tuple[Any, ...], *, html: bool) -> str:
    """What ~ makes: all as texts, escaped beside HTML. Raises RanAway and Refused."""
    texts = [run.text(value) for value in values]
    if html and any(isinstance(text, Markup) for text in texts):
        texts = [str(escaped(text)) for text in texts]
        run.size(sum(map(len, texts)))
        return Markup("".join(texts))  # noqa: S704 - escaped above
    run.size(sum(map(len, texts)))
    return "".join(texts)


def escaped(text: str) -> str:
    """The text as HTML, if it is none."""
    # `str` of a captured text would give it back as it is.
    return str.__str__(text) if isinstance(text, Markup) else str(escape(text))


def formatted(run: Run, text: str, values: Any) -> str:
    """What % makes of a text and values. Raises RanAway, ValueError and TypeError."""
    html = isinstance(text, Markup)
    pattern = str.__str__(text)
    run.work(len(pattern))
    if "%" in _PRINTF.sub("", pattern):
        raise ValueError("a % that stands for nothing")
    found = [match for match in _PRINTF.finditer(pattern) if match[4] != "%"]
    widths = [max(int(match[2] or 0), int(match[3] or 0)) for match in found]

    def ready(value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        made = run.text(value)
        return escaped(made) if html else str.__str__(made)

    given: Any
    if isinstance(values, dict):
        names = {match[1] for match in found}
        given = {key: ready(value) for key, value in values.items() if key in names}
        parts = list(given.values())
    else:
        given = tuple(map(ready, values if isinstance(values, tuple) else (values,)))
        parts = list(given)
    longest = max((len(part) for part in parts if isinstance(part, str)), default=0)
    run.size(len(pattern) + sum(widths) + len(found) * longest)
    made = pattern % given
    run.size(len(made))
    return Markup(made) if html else made  # noqa: S704 - escaped above


def _texts(run: Run, sign: str, left: Any, right: Any) -> Any:
    if sign == "*":
        text, times = (left, right) if isinstance(left, str) else (right, left)
        if isinstance(times, int):
            run.size(len(text) * max(times, 0))
        made = str.__str__(text) * times
        return Markup(made) if isinstance(text, Markup) else made  # noqa: S704
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        run.size(len(left) + len(right))
        if isinstance(left, Markup) or isinstance(right, Markup):
            made = escaped(left) + escaped(right)
            run.size(len(made))
            return Markup(made)  # noqa: S704 - escaped above
        return str.__str__(left) + str.__str__(right)
    return _OPERATORS[sign](left, right)  # the TypeError that it is


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _lists(run: Run, sign: str, left: Any, right: Any) -> Any:
    if sign == "+":
        run.size(len(left) + len(right) if _is_list(left) and _is_list(right) else 0)
    else:
        listed, times = (left, right) if _is_list(left) else (right, left)
        run.size(len(listed) * max(times, 0) if isinstance(times, int) else 0)
    return run.bounded(_OPERATORS[sign](left, right))


def _look_at_power(left: Any, right: Any) -> None:
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    if max(left.bit_length(), 1) * max(right, 0) > MOST_BITS and abs(left) > 1:
        raise RanAway(f"a number of more than {MOST_BITS:,} bits")
