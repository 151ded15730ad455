"""The methods of texts and objects that templates may call, bounded like filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context
from markupsafe import Markup

from relay.templates.jinja import list_filters as lists
from relay.templates.jinja import text_filters as texts
from relay.templates.jinja.missing import Missing

if TYPE_CHECKING:
    from relay.templates.jinja.sandbox import Sandbox

Method = Callable[..., Any]


def _plain(name: str) -> Method:
    """A method that makes nothing larger than its text."""

    def called(env: Sandbox, value: str, *args: Any) -> Any:
        made = getattr(str.__str__(env.run.text(value)), name)(*args)
        html = isinstance(value, Markup)
        if isinstance(made, list):
            return [Markup(part) if html else part for part in made]  # noqa: S704
        return Markup(made) if html and isinstance(made, str) else made  # noqa: S704

    return called


def _wide(name: str) -> Method:
    """A method that fills a text up to a width."""

    def called(env: Sandbox, value: str, width: int, *args: str) -> Any:
        env.run.size(width)
        return _plain(name)(env, value, width, *args)

    return called


def _joined(env: Sandbox, value: str, parts: Any) -> str:
    return lists.join(env, parts, value)


_OF_TEXTS: Mapping[str, Method] = {
    **{
        name: _plain(name)
        for name in (
            *("casefold", "count", "endswith", "find", "isalnum", "isalpha"),
            *("isdecimal", "isdigit", "islower", "isnumeric", "isspace", "isupper"),
            *("lstrip", "partition", "removeprefix", "removesuffix", "rfind"),
            *("rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith"),
            *("strip", "swapcase"),
        )
    },
    **{name: _wide(name) for name in ("ljust", "rjust", "zfill", "center")},
    "capitalize": texts.capitalize,
    "join": _joined,
    "lower": texts.lower,
    "replace": texts.replace,
    "title": texts.title,
    "upper": texts.upper,
}


def _get(env: Sandbox, value: dict[str, Any], name: str, default: Any = None) -> Any:
    return value.get(name, default)


def _keys(env: Sandbox, value: dict[str, Any]) -> list[str]:
    return lists.entries(env, value)


def _values(env: Sandbox, value: dict[str, Any]) -> list[Any]:
    return [inner for _, inner in lists.items(env, value)]


_OF_OBJECTS: Mapping[str, Method] = {
    "get": _get,
    "items": lists.items,
    "keys": _keys,
    "values": _values,
}


def called(
    env: Sandbox,
    context: Context,
    value: Any,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """What the method makes; of what is no text and no object, the call of a part."""
    if isinstance(value, Missing):
        value.use()
        return value
    if isinstance(value, str):
        known = _OF_TEXTS
    elif isinstance(value, dict):
        known = _OF_OBJECTS
    elif value is None or isinstance(value, int | float | list | tuple):
        known = {}
    else:
        return env.call(context, env.getitem(value, name), *args, **kwargs)
    method = known.get(name)
    if method is None:
        raise TemplateRuntimeError(f"{name}: no method that templates may call")
    env.run.work(100)
    return env.run.bounded(method(env, value, *args, **kwargs))
