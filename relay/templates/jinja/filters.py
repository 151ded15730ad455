"""All filters and tests of templates, and behind @ those that `rewrite` calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import Undefined, pass_context
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.tests import TESTS
from markupsafe import Markup

from relay.templates.jinja import formats, methods
from relay.templates.jinja import list_filters as lists
from relay.templates.jinja import text_filters as texts
from relay.templates.jinja.filter import Filter, filter_of
from relay.templates.jinja.missing import Missing
from relay.templates.jinja.operators import concatenated, escaped
from relay.templates.jinja.pieces import (
    MADE,
    PLAIN,
    TRUSTED,
    Built,
    BuiltText,
    Safe,
    SafeText,
    Shown,
)

if TYPE_CHECKING:
    from relay.templates.jinja.run import Run
    from relay.templates.jinja.sandbox import Sandbox

# `round` to so many digits and no more, on either side of the point.
_DIGITS = 30
# What a loop's body costs for each of its `weight`; and how much of it is let go by.
_WEIGHT = 600
_UNWATCHED = 20


def _default(
    env: Sandbox, value: Any, default_value: Any = "", boolean: bool = False
) -> Any:
    if isinstance(value, Undefined) or (boolean and not value):
        return default_value
    return value


def _int(env: Sandbox, value: Any, default: Any = 0, base: int = 10) -> Any:
    try:
        return int(value, base) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return default


def _float(env: Sandbox, value: Any, default: Any = 0.0) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return default


def _round(env: Sandbox, value: Any, precision: int = 0, method: str = "common") -> Any:
    import math

    if not -_DIGITS <= precision <= _DIGITS:
        raise TemplateRuntimeError(f"round: at most {_DIGITS} digits")
    number = float(value)
    if method == "common":
        return round(number, precision)
    return {"ceil": math.ceil, "floor": math.floor}[method](
        number * 10**precision
    ) / 10**precision


def _abs(env: Sandbox, value: Any) -> Any:
    return abs(value)


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": _abs,
    "batch": lists.batch,
    "capitalize": texts.capitalize,
    "center": texts.center,
    "count": lists.length,
    "currency": formats.currency,
    "d": _default,
    "date": formats.date,
    "datetime": formats.date_and_time,
    "default": _default,
    "dictsort": lists.dictsort,
    "e": texts.escape,
    "escape": texts.escape,
    "filesizeformat": texts.filesizeformat,
    "first": lists.first,
    "float": _float,
    "forceescape": texts.forceescape,
    "format": texts.format_,
    "groupby": lists.groupby,
    "indent": texts.indent,
    "int": _int,
    "items": lists.items,
    "join": lists.join,
    "last": lists.last,
    "length": lists.length,
    "list": lists.as_list,
    "lower": texts.lower,
    "map": lists.mapped,
    "max": lists.largest,
    "min": lists.smallest,
    "number": formats.number,
    "reject": lists.reject,
    "rejectattr": lists.rejectattr,
    "replace": texts.replace,
    "reverse": lists.reverse,
    "round": _round,
    "safe": texts.safe,
    "select": lists.select,
    "selectattr": lists.selectattr,
    "slice": lists.slices,
    "sort": lists.sort,
    "string": texts.string,
    "striptags": texts.striptags,
    "sum": lists.total,
    "time": formats.clock,
    "title": texts.title,
    "tojson": texts.tojson,
    "trim": texts.trim,
    "truncate": texts.truncate,
    "unique": lists.unique,
    "upper": texts.upper,
    "urlencode": texts.urlencode,
    "urlize": texts.links,
    "wordcount": texts.wordcount,
    "wordwrap": texts.wordwrap,
    "xmlattr": texts.xmlattr,
}


def all_filters() -> dict[str, Filter]:
    """By their names."""
    found = {name: filter_of(name, made) for name, made in _FILTERS.items()}
    return {**found, **_INTERNAL}


def all_tests() -> dict[str, Callable[..., bool]]:
    """Jinja's own, which look at what is missing as at any value."""
    given: Mapping[str, Any] = TESTS
    return {**{name: _test(name, test) for name, test in given.items()}, "in": _is_in}


def _test(name: str, test: Callable[..., bool]) -> Callable[..., bool]:
    asks = name in ("defined", "undefined")

    @pass_context
    def tested(context: Context, value: Any, *args: Any, **kwargs: Any) -> bool:
        if isinstance(value, Missing) and not asks:
            value.use()
        given: Any = test
        if name in ("filter", "test"):
            return bool(given(context.environment, value, *args, **kwargs))
        return bool(given(value, *args, **kwargs))

    return tested


# What `rewrite` puts into a template.


def _run(context: Context) -> Run:
    return context.environment.run  # type: ignore[attr-defined, no-any-return] # ours


@pass_context
def _shown(context: Context, value: Any, path: str) -> str:
    """A value at its place, which knows what it is."""
    run = _run(context)
    html: bool = context.environment.html  # type: ignore[attr-defined] # ours
    if value.__class__ is str:
        plain, kind = value, PLAIN
    elif isinstance(value, Built | BuiltText):
        return value
    elif isinstance(value, Missing):
        if value.is_inside and path:
            run.lacking[path] = None
        plain, kind = value.use(), PLAIN
    elif isinstance(value, SafeText):
        plain, kind = str.__str__(value), TRUSTED
    elif isinstance(value, Markup):
        plain = str.__str__(value)
        kind = TRUSTED if isinstance(value, Safe) else MADE
    else:
        plain, kind = run.text(value, path), PLAIN
    run.work(len(plain) + 100)
    if not html or kind != PLAIN or plain.isalnum():
        return Shown.of(plain, plain, (path, kind))
    return Shown.of(escaped(plain), plain, (path, PLAIN))


@pass_context
def each(context: Context, value: Any, weight: int = 1) -> Iterable[Any]:
    """What a loop goes through; `weight` is how much is done with each."""
    found = lists.entries(context.environment, value)  # type: ignore[arg-type] # ours
    run = _run(context)
    run.step(len(found))
    return found if len(found) * weight < _UNWATCHED else _watched(run, found, weight)


def _watched(run: Run, found: Iterable[Any], weight: int) -> Iterator[Any]:
    for entry in found:
        run.work(weight * _WEIGHT)
        yield entry


@pass_context
def _method(context: Context, value: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    environment: Sandbox = context.environment  # type: ignore[assignment] # ours
    return methods.called(environment, context, value, name, args, kwargs)


@pass_context
def _concat(context: Context, *values: Any) -> str:
    html: bool = context.environment.html  # type: ignore[attr-defined] # ours
    return concatenated(_run(context), values, html=html)


@pass_context
def _weighed(context: Context, value: Any) -> Any:
    _run(context).weigh(value)
    return value


@pass_context
def _slice(context: Context, value: Any, *ends: int | None) -> Any:
    if isinstance(value, Missing):
        value.use()
        return value
    if not isinstance(value, str | list | tuple):
        raise TemplateRuntimeError("only lists and texts have slices")
    _run(context).work(len(value))
    made = value[slice(*ends)]
    return Markup(made) if isinstance(value, Markup) else made  # noqa: S704


@pass_context
def _is_in(context: Context, value: Any, place: Any) -> bool:
    """Whether a value is in a list, an object or a text."""
    for each_of_both in (value, place):
        if isinstance(each_of_both, Missing):
            each_of_both.use()
            return False
    if place is None:
        return False
    if isinstance(place, str):
        _run(context).work(len(place))
        return isinstance(value, str) and value in str.__str__(place)
    if not isinstance(place, list | tuple | dict):
        raise TemplateRuntimeError("only lists, objects and texts have something in")
    _run(context).work(len(place) * 10)
    return value in place


@pass_context
def _message(context: Context, name: str) -> str:
    """Something of the original mail; its HTML is that in HTML."""
    text = _run(context).built_in(name)
    html: bool = context.environment.html  # type: ignore[attr-defined] # ours
    return Safe(text) if name == "html" and html else text


_INTERNAL: Mapping[str, Filter] = {
    "@shown": _shown,
    "@each": each,
    "@method": _method,
    "@concat": _concat,
    "@weighed": _weighed,
    "@slice": _slice,
    "@in": _is_in,
    "@message": _message,
}
