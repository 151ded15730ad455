"""A text in Jinja's syntax, read by itself: what it says, what is wrong, and its code.

What it comes to beside the files that it names is `library`'s business, so one reading
serves wherever the same text stands, and a reload reads what has changed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any
from weakref import WeakValueDictionary

from jinja2 import TemplateSyntaxError, nodes
from jinja2.compiler import CodeGenerator, Frame

from relay.templates.jinja import formats, uses
from relay.templates.jinja.environment import MailEnvironment
from relay.templates.jinja.rewrite import Rewriter
from relay.templates.jinja.uses import Found

# Tells what is wrong in a line.
Wrong = Callable[[int, str], None]

# Of these, not too many and not too deep, Jinja makes what Python surely compiles: that
# can wait until a mail needs it. Macros and arguments by name, say, Python may refuse.
_SURE = frozenset(
    {
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
        *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Tuple),
        *(nodes.If, nodes.For, nodes.CondExpr, nodes.Assign, nodes.Concat),
        *(nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand),
        *(nodes.Extends, nodes.Include, nodes.Block),
    }
)
_MOST_SURE = 300
_DEEPEST_SURE = 12


@dataclass(frozen=True, slots=True)
class Named:
    """A place that names files; empty `names`: it does not say which.

    `several`: the first of them that is there counts. `sees`: they see what this text
    sees; else they are imported, or none of that if not `imported`.
    """

    line: int
    names: tuple[str, ...]
    several: bool
    optional: bool
    sees: bool
    imported: bool


class Reading:
    """What is found in one text. `mistakes` are its own, with their lines.

    `variables` are those that the text does not set itself, `sets` the names that it
    gives a meaning, `calls` those that it calls, `fixed` is what stands outside the
    braces.
    """

    __slots__ = (
        *("mistakes", "named", "sets", "variables", "calls", "fixed"),
        *("_code", "__weakref__"),
    )

    def __init__(self, text: str, environment: MailEnvironment) -> None:
        self.mistakes: list[tuple[int, str]] = []
        self.named: tuple[Named, ...] = ()
        self.sets: frozenset[str] = frozenset()
        self.variables: tuple[Found, ...] = ()
        self.calls: tuple[tuple[str, int], ...] = ()
        self.fixed = ""
        self._code: CodeType | str = ""  # its source, until somebody needs it
        try:
            self._read(text, environment)
        except TemplateSyntaxError as error:
            self._wrong(error.lineno, error.message or "is no Jinja")
        except RecursionError:
            self._wrong(1, "is nested too deeply")
        except (SyntaxError, ValueError, MemoryError) as error:
            # Python compiles what Jinja made of it, and counts in its own way.
            what = error.msg if isinstance(error, SyntaxError) else "too large a number"
            self._wrong(1, f"cannot be compiled: {what}")

    @property
    def code(self) -> CodeType:
        """What runs, of a text without mistakes."""
        code = self._code  # read once: other threads make it as well
        if isinstance(code, str):
            code = self._code = compile(code, "<template>", "exec")
        return code

    def _wrong(self, line: int, what: str) -> None:
        self.mistakes.append((line, what))

    def _read(self, text: str, environment: MailEnvironment) -> None:
        tree = environment.parse(text)
        inside: list[nodes.Node] = []
        depth = _walk(tree, inside)
        _look_at_names(inside, environment, self._wrong)
        if self.mistakes:
            return
        self.named = tuple(_named(inside))
        self.sets = frozenset(uses.names_set(inside))
        read = uses.variables(tree)
        self.calls = tuple(
            (node.node.name, node.lineno)
            for node in inside
            if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name)
        )
        self.fixed = "".join(
            [node.data for node in inside if node.__class__ is nodes.TemplateData]
        )
        messages = {
            node.ctx
            for node in inside
            if isinstance(node, nodes.Name) and node.name == "message"
        }
        own = bool(messages - {"load"})
        sure = (
            depth <= _DEEPEST_SURE
            and len(inside) <= _MOST_SURE
            and all(node.__class__ in _SURE for node in inside)
        )
        Rewriter(environment, self._wrong, own_message=own).rewritten(tree)
        generator = _Generator(environment)
        generator.visit(tree)
        undeclared = generator.undeclared
        if messages and not own:  # of which the rewritten tree says nothing
            undeclared.add("message")
        self.variables = tuple(
            found for found in read if found.name.partition(".")[0] in undeclared
        )
        self.calls = tuple(call for call in self.calls if call[0] in undeclared)
        if self.mistakes:
            return
        self._code = generator.stream.getvalue()  # type: ignore[attr-defined] # its own
        if not sure:
            self.code  # noqa: B018 - so that what is wrong is said now


class Readings:
    """Readings by their texts, for as long as somebody uses them."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Reading] = WeakValueDictionary()

    def of(self, text: str, environment: MailEnvironment) -> Reading:
        """The text's reading; all environments read alike."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = Reading(text, environment)
        return found


class _Generator(CodeGenerator):
    """Writes the code, and sees meanwhile which names the text does not set."""

    def __init__(self, environment: MailEnvironment) -> None:
        super().__init__(environment, None, None, optimized=False)
        self.undeclared: set[str] = set()

    def enter_frame(self, frame: Frame) -> None:
        """Begin where names may get a meaning."""
        super().enter_frame(frame)
        for action, name in frame.symbols.loads.values():
            if action == "resolve" and name not in self.environment.globals:
                self.undeclared.add(str(name))


def _walk(node: nodes.Node, found: list[nodes.Node]) -> int:
    """Gather all that is inside a node, in its order; how deep that goes."""
    deepest = 0
    for name in node.fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            parts = [part for part in value if isinstance(part, nodes.Node)]
        elif isinstance(value, nodes.Node):
            parts = [value]
        else:
            continue
        for part in parts:
            found.append(part)
            deepest = max(deepest, 1 + _walk(part, found))
    return deepest


def _look_at_names(
    inside: Sequence[nodes.Node], environment: MailEnvironment, wrong: Wrong
) -> None:
    """Find filters and tests that there are not, also where Jinja looks later."""
    for node in (
        *(node for node in inside if isinstance(node, nodes.Filter)),
        *(node for node in inside if isinstance(node, nodes.Test)),
    ):
        kind = "filter" if isinstance(node, nodes.Filter) else "test"
        if node.name not in getattr(environment, f"{kind}s"):
            wrong(node.lineno, f"{node.name}: no such {kind}")
        elif kind == "filter" and node.name in formats.NAMES:
            formats.load()
            _look_at_format(node, wrong)


def _look_at_format(node: Any, wrong: Wrong) -> None:
    args: list[object] = []
    kwargs: dict[str, object] = {}
    for arg in node.args:
        if not isinstance(arg, nodes.Const):
            return
        args.append(arg.value)
    for pair in node.kwargs:
        if isinstance(pair.value, nodes.Const):
            kwargs[str(pair.key)] = pair.value.value
    if text := formats.wrong(node.name, args, kwargs):
        wrong(node.lineno, f"{node.name}: {text}")


def _named(inside: Sequence[nodes.Node]) -> Iterator[Named]:
    for node in inside:
        if not isinstance(
            node, nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport
        ):
            continue
        yield Named(
            node.lineno,
            tuple(_constants(node.template)),
            several=not isinstance(node.template, nodes.Const | nodes.CondExpr),
            optional=isinstance(node, nodes.Include) and node.ignore_missing,
            sees=isinstance(node, nodes.Extends) or node.with_context,
            imported=isinstance(node, nodes.Import | nodes.FromImport),
        )


def _constants(node: nodes.Node) -> Iterator[str]:
    """The names that a file may have, if they stand there."""
    match node:
        case nodes.Const(value=str() as name):
            yield name
        case nodes.Const(value=tuple() | list() as names):
            yield from (name for name in names if isinstance(name, str))
        case nodes.Tuple() | nodes.List():
            for item in node.items:
                yield from _constants(item)
        case nodes.CondExpr():
            yield from _constants(node.expr1)
            if node.expr2 is not None:
                yield from _constants(node.expr2)
