"""Filters that go through a list, each bounded before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby as grouped
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context
from markupsafe import Markup

from relay.templates.jinja.operators import escaped
from relay.templates.limits import MOST_STEPS

if TYPE_CHECKING:
    from relay.templates.jinja.sandbox import Sandbox

Getter = Callable[[Any], Any]


class Group(NamedTuple):
    """What `groupby` makes."""

    grouper: Any
    list: list[Any]


def entries(env: Sandbox, value: Any) -> list[Any]:
    """The entries of a list, the names of an object, the characters of a text.

    Null has none. Raises TypeError, and RanAway.
    """
    if value is None or isinstance(value, Undefined):
        bool(value)  # which is a use of it
        return []
    if isinstance(value, str):
        value = str.__str__(value)
    elif not isinstance(value, list | tuple | dict):
        raise TypeError("no list")
    env.run.work(len(value) * 50)
    return list(value)


def getter(env: Sandbox, attribute: str | int | None, default: Any = None) -> Getter:
    """What gives an entry's part by a name with dots, or a position."""
    if attribute is None:
        return lambda entry: entry
    parts = [
        int(part) if part.isdecimal() and len(part) < 10 else part
        for part in str(attribute).split(".")
    ]

    def part(entry: Any) -> Any:
        for each in parts:
            entry = env.getitem(entry, each)
        return (
            default if default is not None and isinstance(entry, Undefined) else entry
        )

    return part


def _ordered(case_sensitive: bool, get: Getter) -> Getter:
    def key(entry: Any) -> Any:
        value = get(entry)
        return value.lower() if isinstance(value, str) and not case_sensitive else value

    return key


def join(
    env: Sandbox, value: Any, d: str = "", attribute: str | int | None = None
) -> str:
    run = env.run
    get = getter(env, attribute)
    texts = [run.text(get(entry)) for entry in entries(env, value)]
    between = run.text(d)
    html = env.html and any(isinstance(text, Markup) for text in (between, *texts))
    if html:
        texts, between = [escaped(text) for text in texts], escaped(between)
    run.size(sum(map(len, texts)) + len(between) * max(len(texts) - 1, 0))
    made = str.__str__(between).join(texts)
    return Markup(made) if html else made  # noqa: S704 - escaped above


def as_list(env: Sandbox, value: Any) -> list[Any]:
    return entries(env, value)


def items(env: Sandbox, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Undefined) or value is None:
        return []
    if not isinstance(value, dict):
        raise TypeError("no object")
    env.run.work(len(value) * 50)
    return list(value.items())


def first(env: Sandbox, value: Any) -> Any:
    return env.getitem(entries(env, value), 0)


def last(env: Sandbox, value: Any) -> Any:
    return env.getitem(entries(env, value), -1)


def length(env: Sandbox, value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, str | list | tuple | dict | Undefined):
        raise TypeError("no length")
    return len(value)


def reverse(env: Sandbox, value: Any) -> Any:
    if isinstance(value, str):
        made = env.run.text(value)[::-1]
        return Markup(made) if isinstance(value, Markup) else made  # noqa: S704
    return entries(env, value)[::-1]


def batch(
    env: Sandbox, value: Any, linecount: int, fill_with: Any = None
) -> list[list[Any]]:
    """Lists of so many entries each, the last filled up."""
    found = entries(env, value)
    if not 0 < linecount <= MOST_STEPS:
        raise TemplateRuntimeError("batch: no number of entries")
    made = [found[at : at + linecount] for at in range(0, len(found), linecount)]
    if made and fill_with is not None:
        gap = linecount - len(made[-1])
        env.run.work(gap * 50)
        made[-1] += [fill_with] * gap
    return made


def slices(
    env: Sandbox, value: Any, slices: int, fill_with: Any = None
) -> list[list[Any]]:
    """So many lists, as long as each other."""
    found = entries(env, value)
    if not 0 < slices <= MOST_STEPS:
        raise TemplateRuntimeError("slice: no number of lists")
    env.run.work(slices * 50)
    each, more = divmod(len(found), slices)
    made, start = [], 0
    for number in range(slices):
        end = start + each + (number < more)
        part = found[start:end]
        if fill_with is not None and number >= more and more:
            part.append(fill_with)
        made.append(part)
        start = end
    return made


def sort(
    env: Sandbox,
    value: Any,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> list[Any]:
    keys = [
        _ordered(case_sensitive, getter(env, name))
        for name in (str(attribute).split(",") if attribute is not None else [None])
    ]
    found = entries(env, value)
    env.run.work(len(found) * 200)
    found.sort(key=lambda entry: [key(entry) for key in keys], reverse=reverse)
    return found


def dictsort(
    env: Sandbox,
    value: Any,
    case_sensitive: bool = False,
    by: str = "key",
    reverse: bool = False,
) -> list[tuple[str, Any]]:
    place = {"key": 0, "value": 1}[by]
    found = items(env, value)
    env.run.work(len(found) * 200)
    key = _ordered(case_sensitive, lambda pair: pair[place])
    return sorted(found, key=key, reverse=reverse)


def groupby(
    env: Sandbox,
    value: Any,
    attribute: str | int,
    default: Any = None,
    case_sensitive: bool = False,
) -> list[Group]:
    get = getter(env, attribute, default)
    key = _ordered(case_sensitive, get)
    found = sorted(entries(env, value), key=key)
    env.run.work(len(found) * 200)
    made = [list(group) for _, group in grouped(found, key)]
    return [Group(get(group[0]), group) for group in made]


def unique(
    env: Sandbox,
    value: Any,
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> list[Any]:
    key = _ordered(case_sensitive, getter(env, attribute))
    seen: dict[Any, Any] = {}
    for entry in entries(env, value):
        seen.setdefault(key(entry), entry)
    return list(seen.values())


def _extreme(
    pick: Callable[..., Any],
    env: Sandbox,
    value: Any,
    case_sensitive: bool,
    attribute: str | int | None,
) -> Any:
    found = entries(env, value)
    if not found:
        return env.getitem(found, 0)
    return pick(found, key=_ordered(case_sensitive, getter(env, attribute)))


def smallest(
    env: Sandbox,
    value: Any,
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> Any:
    return _extreme(min, env, value, case_sensitive, attribute)


def largest(
    env: Sandbox,
    value: Any,
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> Any:
    return _extreme(max, env, value, case_sensitive, attribute)


def total(
    env: Sandbox,
    value: Any,
    attribute: str | int | None = None,
    start: float = 0,
) -> Any:
    get = getter(env, attribute)
    numbers = [get(entry) for entry in entries(env, value)]
    if not all(isinstance(each, int | float | Undefined) for each in (start, *numbers)):
        raise TypeError("no numbers")
    return sum(numbers, start)


def mapped(
    env: Sandbox,
    value: Any,
    name: str | None = None,
    *args: Any,
    attribute: str | int | None = None,
    default: Any = None,
    **kwargs: Any,
) -> list[Any]:
    """An attribute of each entry, or what a filter makes of it."""
    if name is None:
        get = getter(env, attribute, default)
        return [get(entry) for entry in entries(env, value)]
    if name.startswith("@"):
        raise TemplateRuntimeError("map: no such filter")
    filtered: Callable[..., Any] = env.filters[name]
    context = _context(env)
    return [filtered(context, entry, *args, **kwargs) for entry in entries(env, value)]


def _picked(
    env: Sandbox,
    value: Any,
    get: Getter,
    wanted: bool,
    test: Sequence[Any],
) -> Iterator[Any]:
    name, *args = test or ("true",)
    tested: Any = env.tests[name] if test else None
    context = _context(env)
    for entry in entries(env, value):
        part = get(entry)
        holds = bool(part) if tested is None else tested(context, part, *args)
        if bool(holds) is wanted:
            yield entry


def select(env: Sandbox, value: Any, *test: Any) -> list[Any]:
    return list(_picked(env, value, getter(env, None), True, test))


def reject(env: Sandbox, value: Any, *test: Any) -> list[Any]:
    return list(_picked(env, value, getter(env, None), False, test))


def selectattr(env: Sandbox, value: Any, attribute: str | int, *test: Any) -> list[Any]:
    return list(_picked(env, value, getter(env, attribute), True, test))


def rejectattr(env: Sandbox, value: Any, attribute: str | int, *test: Any) -> list[Any]:
    return list(_picked(env, value, getter(env, attribute), False, test))


def _context(env: Sandbox) -> Context:
    """What a filter is called with that is asked for by its name."""
    environment: Any = env
    return Context(environment, {}, None, {})
