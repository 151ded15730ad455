"""Jinja's sandbox, in which values are plain data and all that is done is bounded.

Nothing of Python can be reached from a value: a name behind a dot is what stands in an
object, a method is one of the list in `methods`, and what can be called is a macro or
one of the few functions below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Template, Undefined
from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateNotFound, TemplateRuntimeError
from jinja2.lexer import Lexer
from jinja2.runtime import (
    BlockReference,
    Context,
    LoopContext,
    Macro,
    TemplateReference,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, missing

from relay.templates.jinja import filters, operators
from relay.templates.jinja.lexer import lexer
from relay.templates.jinja.list_filters import Group
from relay.templates.jinja.missing import Missing, Mistake
from relay.templates.jinja.pieces import Built, BuiltText, Shown
from relay.templates.jinja.run import Run, Runs
from relay.templates.limits import MOST_BYTES, MOST_STEPS, RanAway
from relay.templates.placeholder import member

# What templates may ask of Jinja's own objects.
_PARTS: Mapping[type, frozenset[str]] = {
    LoopContext: frozenset(
        {
            *("index", "index0", "revindex", "revindex0", "first", "last", "length"),
            *("cycle", "depth", "depth0", "previtem", "nextitem", "changed"),
        }
    ),
    Cycler: frozenset({"current", "next", "reset"}),
    BlockReference: frozenset({"super"}),
    Group: frozenset({"grouper", "list"}),
}


class MailTemplate(Template):
    """A compiled file. What it exports is made for each mail anew.

    Jinja keeps it, and what a mail's values did to it with it.
    """

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return self.make_module()


class MailEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and runs the files of one folder, as HTML or as texts."""

    template_class = MailTemplate
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, runs: Runs, *, html: bool) -> None:
        super().__init__(autoescape=False, optimized=False, cache_size=0)
        self.html = html
        self._runs = runs
        self._files: dict[str, Callable[[], Template]] = {}
        self.undefined = self._undefined  # type: ignore[assignment] # made by a call alone
        self.filters = filters.all_filters()
        self.tests = dict[str, Any](filters.all_tests())
        self.globals = {
            "range": self._range,
            "dict": self._dict,
            "namespace": Namespace,
            "cycler": Cycler,
            "joiner": Joiner,
        }

    @property
    def run(self) -> Run:
        """The mail that is being made."""
        return self._runs.run

    @property
    def lexer(self) -> Lexer:
        """What cuts texts into tokens."""
        return lexer()

    def add(self, name: str, made: Callable[[], Template]) -> None:
        """Let other files of the folder name this one."""
        self._files[name] = made

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: object = None,  # noqa: A002 - Jinja's name
    ) -> Template:
        """A file of the folder."""
        self.run.work(_CALL)
        if isinstance(name, Template):
            return name
        if name not in self._files:
            raise TemplateNotFound(name)
        return self._files[name]()

    def select_template(
        self,
        names: Any,
        parent: str | None = None,
        globals: object = None,  # noqa: A002
    ) -> Template:
        """The first of the files that is there."""
        for name in names:
            if name in self._files:
                return self.get_template(name)
        raise TemplateNotFound(", ".join(map(str, names)))

    def concat(self, pieces: Iterable[str]) -> Built | BuiltText:
        """What a macro or a block made."""
        flat = self.flat(pieces)
        return Built.of(flat) if self.html else BuiltText.of(flat)

    def flat(self, pieces: Iterable[str]) -> list[str | Shown]:
        """The pieces, those of what was built before among them. Raises RanAway."""
        found: list[str | Shown] = []
        size = 0
        run = self.run
        for piece in pieces:
            kind = piece.__class__
            if kind is str or kind is Shown:
                found.append(piece)
            elif isinstance(piece, Built | BuiltText):
                found.extend(piece.pieces)
            else:
                raise TemplateRuntimeError("what is called here makes no text")
            size += len(piece)
            if size > MOST_BYTES:
                run.size(size)
            run.work(len(piece) + _PIECE)
        return found

    # What stands behind a dot or in brackets.

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What a value has by this name, or one of Jinja's own parts."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same in brackets, and a position."""
        if isinstance(obj, dict):
            try:
                return obj[argument]
            except (KeyError, TypeError):
                return _NOTHING
        if isinstance(obj, Missing):
            return obj.below(argument)
        if isinstance(argument, int) and isinstance(obj, list | tuple | str):
            try:
                return obj[argument]
            except IndexError:
                return _NOTHING
        if not isinstance(argument, str):
            return _NOTHING
        parts = _PARTS.get(obj.__class__)
        if parts is not None:
            return getattr(obj, argument) if argument in parts else _NOTHING
        if isinstance(obj, Namespace):
            if argument.startswith("_"):
                return _NOTHING
            return getattr(obj, argument, _NOTHING)
        if isinstance(obj, TemplateReference):
            try:
                return obj[argument]
            except KeyError:
                return Mistake(f"self.{argument}: there is no such block")
        if isinstance(obj, TemplateModule):
            if argument.startswith("_") or argument not in vars(obj):
                return Mistake(f"{argument}: is not in the imported file")
            return vars(obj)[argument]
        found = member(obj, argument)
        return _NOTHING if found is None else found

    # What is done with values.

    def call(
        self,
        context: Context,
        function: Any,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Call a macro, or one of the few functions that there are."""
        run = self.run
        if isinstance(function, Mistake):
            function.fail()
        if isinstance(function, Missing):
            function.use()
            return function
        if isinstance(function, LoopContext):
            args = tuple(filters.each(context, value) for value in args)
        elif "caller" in kwargs and not isinstance(function, Macro):
            raise TemplateRuntimeError("only a macro takes the body of a call block")
        elif not _may_be_called(function, self.globals):
            raise TemplateRuntimeError("a value cannot be called")
        run.work(_CALL)
        run.called()
        try:
            return run.bounded(super().call(context, function, *args, **kwargs))
        finally:
            run.depth -= 1

    def call_binop(
        self,
        context: Context,
        operator: str,
        left: Any,
        right: Any,
    ) -> Any:
        """Calculate, where what comes of it is no larger than a mail."""
        return operators.calculated(self.run, operator, left, right)

    # Where Jinja asks for what is not there.

    def _undefined(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: object = None,
    ) -> Undefined:
        if hint is not None:
            return Mistake(hint)
        return (
            _NOTHING if obj is not missing or name is None else self.run.missing(name)
        )

    # Functions.

    def _range(self, *args: int) -> list[int]:
        span = range(*args)
        if len(span) > MOST_STEPS:
            raise RanAway(f"a range of more than {MOST_STEPS:,}")
        self.run.work(len(span) * 10)
        return list(span)

    def _dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        made: dict[str, Any] = dict(*args, **kwargs)
        self.run.weigh(made)
        return made


# What a piece costs, beside its characters.
_PIECE = 20
# What a call and a file that is named cost, beside what they do.
_CALL = 300
# What is missing in a value that is given.
_NOTHING = Missing("", "", None)


def _may_be_called(value: object, functions: Mapping[str, object]) -> bool:
    if isinstance(value, Macro | BlockReference | Joiner):
        return True
    return callable(value) and (
        any(value == function for function in functions.values())
        or getattr(value, "__self__", None).__class__ in (Cycler, LoopContext)
    )
