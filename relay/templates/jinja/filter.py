"""What all filters have in common: what is missing, what cannot be read, how much."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from jinja2 import pass_context
from jinja2.runtime import Context

from relay.model.replies import not_read
from relay.templates.jinja.missing import Missing

if TYPE_CHECKING:
    from relay.templates.jinja.sandbox import Sandbox

P = ParamSpec("P")
Filter = Callable[..., Any]
# What values raise that are of another kind than a filter works with.
_OF_VALUES = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


def filter_of(name: str, function: Callable[Concatenate[Any, Any, P], Any]) -> Filter:
    """The function as Jinja's filter `name`; it is given the environment first."""

    @pass_context
    @wraps(function)
    def filtered(
        context: Context,
        value: Any,
        /,
        *args: Any,
        _of: str = "",
        **kwargs: Any,
    ) -> Any:
        environment: Sandbox = context.environment  # type: ignore[assignment] # ours
        run = environment.run
        run.work(100)
        if isinstance(value, Missing) and value.kept and name not in ("default", "d"):
            return value
        try:
            made = function(environment, value, *args, **kwargs)
        except _OF_VALUES as error:
            raise not_read(_of, name) from error
        return run.bounded(made)

    return filtered
