"""A parsed template in which each operation of consequence is a filter of ours.

What takes time or memory, what prints, and what reaches into a value becomes a call of
a filter whose name begins with @, which no template can write. So the sandbox sees all
of it, by the parts of Jinja that are documented.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer

from relay.templates.placeholder import BUILT_IN

E = TypeVar("E", bound=nodes.Node)

# How many steps the body of a loop counts for: one for so many of its nodes.
_NODES_A_STEP = 200
# Filters that are given the name of another, or of a test, at this place.
_NAMES = {
    "map": (0, "filter"),
    **dict.fromkeys(("select", "reject"), (0, "test")),
    **dict.fromkeys(("selectattr", "rejectattr"), (1, "test")),
}


def path_of(node: nodes.Node | None) -> str:
    """The name of the variable that an expression is about, with its dots; or ""."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            path = path_of(node.node)
            return f"{path}.{node.attr}" if path else ""
        case nodes.Getitem(arg=nodes.Const(value=str() | int() as key)):
            path = path_of(node.node)
            return f"{path}.{key}" if path else ""
        case nodes.Filter(name="@message", node=nodes.Const(value=str() as name)):
            return f"message.{name}"
        case nodes.Filter():
            return path_of(node.node)
    return ""


class Rewriter(NodeTransformer):
    """Rewrites one template; what is wrong with it is said to `wrong`, with its line.

    `own_message`: the template has a variable of its own by the name `message`.
    """

    def __init__(
        self,
        environment: Environment,
        wrong: Callable[[int, str], None],
        *,
        own_message: bool,
    ) -> None:
        self._environment = environment
        self._wrong = wrong
        self._own_message = own_message

    def rewritten(self, template: nodes.Template) -> nodes.Template:
        """The template, changed in its place."""
        self.generic_visit(template)
        return template

    def _inner(self, node: nodes.Expr) -> nodes.Expr:
        made = self.visit(node)
        assert isinstance(made, nodes.Expr)  # noqa: S101 - expressions stay such
        return made

    def _each(self, given: Sequence[E]) -> list[E]:
        return [self.visit(node) for node in given]

    def _to(self, name: str, node: Any, *args: nodes.Expr, line: int) -> nodes.Filter:
        return nodes.Filter(node, name, list(args), [], None, None, lineno=line)

    # Statements.

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        """What is printed."""
        made: list[nodes.Expr] = []
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                made.append(child)
                continue
            inner = self._inner(child)
            path = nodes.Const(path_of(inner), lineno=child.lineno)
            made.append(self._to("@shown", inner, path, line=child.lineno))
        node.nodes = made
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        """A loop, which counts its steps."""
        size = sum(1 for part in node.body for _ in part.find_all(nodes.Node))
        self.generic_visit(node)
        weight = nodes.Const(1 + size // _NODES_A_STEP, lineno=node.lineno)
        node.iter = self._to("@each", node.iter, weight, line=node.lineno)
        return node

    def visit_FilterBlock(self, node: nodes.FilterBlock) -> nodes.Node:  # noqa: N802
        """A captured text that is changed and printed."""
        self.generic_visit(node)
        path = nodes.Const("", lineno=node.lineno)
        node.filter = self._to("@shown", node.filter, path, line=node.lineno)
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        """A macro with a body, whose call has to stay one."""
        call = node.call
        call.node = self._inner(call.node)
        call.args = self._each(call.args)
        call.kwargs = self._each(call.kwargs)
        for name in ("dyn_args", "dyn_kwargs"):
            if (given := getattr(call, name)) is not None:
                setattr(call, name, self._inner(given))
        node.defaults = self._each(node.defaults)
        node.body = self._each(node.body)
        return node

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802
        """Its file's name stays as it is."""
        return node

    def visit_Extends(self, node: nodes.Extends) -> nodes.Node:  # noqa: N802
        """So does that of a layout."""
        return node

    def visit_Import(self, node: nodes.Import) -> nodes.Node:  # noqa: N802
        """So does that of a file of macros."""
        return node

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:  # noqa: N802
        """The same."""
        return node

    def visit_ScopedEvalContextModifier(  # noqa: N802
        self, node: nodes.ScopedEvalContextModifier
    ) -> nodes.Node:
        """Jinja's `autoescape` blocks, which the kind of the text decides."""
        self._wrong(
            node.lineno,
            "autoescape: HTML is escaped and text is not; |safe takes a value as HTML",
        )
        return nodes.Scope(self._each(node.body), lineno=node.lineno)

    # Expressions.

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        """A name in a value, or something of the original mail."""
        named = isinstance(node.node, nodes.Name) and node.node.name == "message"
        if named and not self._own_message:
            return self._message(node)
        self.generic_visit(node)
        return node

    def _message(self, node: nodes.Getattr) -> nodes.Node:
        if node.attr not in BUILT_IN:
            known = ", ".join(f"message.{name}" for name in BUILT_IN)
            text = f"message.{node.attr}: unknown; there are {known}"
            self._wrong(node.lineno, text)
        name = nodes.Const(node.attr, lineno=node.lineno)
        return self._to("@message", name, line=node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        """A part of a list or a text."""
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        none = nodes.Const(None, lineno=node.lineno)
        ends = (node.arg.start, node.arg.stop, node.arg.step)
        args = [none if end is None else end for end in ends]
        return self._to("@slice", node.node, *args, line=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        """A method of a value; a macro's call stays one."""
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Getattr):
            return node
        name = nodes.Const(node.node.attr, lineno=node.lineno)
        made = self._to("@method", node.node.node, name, *node.args, line=node.lineno)
        made.kwargs = cast(
            "Any", node.kwargs
        )  # Jinja says of filters that they are pairs
        made.dyn_args, made.dyn_kwargs = node.dyn_args, node.dyn_kwargs
        return made

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """Texts put together by ~."""
        self.generic_visit(node)
        first, *rest = node.nodes
        return self._to("@concat", first, *rest, line=node.lineno)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        """`in` looks through a value."""
        self.generic_visit(node)
        match node.ops:
            case [nodes.Operand(op="in" | "notin" as op, expr=expr)]:
                found = self._to("@in", node.expr, expr, line=node.lineno)
                return found if op == "in" else nodes.Not(found, lineno=node.lineno)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        """A list of more than what stands in the template."""
        self.generic_visit(node)
        if all(isinstance(item, nodes.Const) for item in node.items):
            return node
        return self._to("@weighed", node, line=node.lineno)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        """The same, where it is no target of `for` or `set`."""
        self.generic_visit(node)
        if node.ctx == "store":
            return node
        if all(isinstance(item, nodes.Const) for item in node.items):
            return node
        return self._to("@weighed", node, line=node.lineno)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        """The same for names and values."""
        self.generic_visit(node)
        return self._to("@weighed", node, line=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        """A filter, which has to be one of ours, with arguments that it takes."""
        self.generic_visit(node)
        self._look_at_arguments(node, self._environment.filters)
        path = nodes.Const(path_of(node), lineno=node.lineno)
        keyword: Any = nodes.Keyword("_of", path, lineno=node.lineno)
        node.kwargs = [*node.kwargs, keyword]
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        """A test, which has to be one of ours."""
        self.generic_visit(node)
        self._look_at_arguments(node, self._environment.tests)
        return node

    def _look_at_arguments(
        self,
        node: nodes.Filter | nodes.Test,
        known: Mapping[str, Any],
    ) -> None:
        if node.dyn_args is None and node.dyn_kwargs is None:
            try:
                # The context and the value come before what stands there.
                inspect.signature(known[node.name]).bind(
                    *(None, None),
                    *node.args,
                    **{str(each.key): each.value for each in node.kwargs},
                )
            except TypeError as error:
                self._wrong(node.lineno, f"{node.name}: {error}")
        named = _NAMES.get(node.name)
        if named is not None and len(node.args) > named[0]:
            name = node.args[named[0]]
            there: dict[str, object] = getattr(self._environment, f"{named[1]}s")
            if isinstance(name, nodes.Const) and name.value not in there:
                self._wrong(node.lineno, f"{name.value}: no such {named[1]}")
