"""Which variables of a mail a template looks at, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from jinja2 import nodes

from relay.templates.jinja.rewrite import path_of

_KINDS = {nodes.For: "for", nodes.If: "if", nodes.CondExpr: "if", nodes.Macro: "macro"}


@dataclass(frozen=True, slots=True)
class Found:
    """A variable by its name with the dots, in a line of the text that was parsed.

    `inside` are the statements around it, the outermost first: for, if, macro.
    `optional`: the template asks whether it is there, or has something in its place.
    """

    name: str
    line: int
    inside: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class _Scope:
    own: frozenset[str] = frozenset()
    inside: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()
    optional: bool = False

    def inner(self, kind: str, own: Iterable[str] = ()) -> _Scope:
        return replace(self, own=self.own | set(own), inside=(*self.inside, kind))


def variables(template: nodes.Template) -> list[Found]:
    """All that a parsed text looks at, those among them that it sets itself."""
    return list(_in(template, _Scope()))


def names_set(inside: Iterable[nodes.Node]) -> Iterator[str]:
    """Names that a text gives a meaning, by all that is inside it."""
    for node in inside:
        match node:
            case nodes.Macro(name=name) | nodes.Import(target=name):
                yield name
            case nodes.FromImport(names=names):
                for each in names:
                    yield each if isinstance(each, str) else each[1]
            case nodes.Assign(target=target) | nodes.AssignBlock(target=target):
                yield from _names(target)


def _in(node: nodes.Node, scope: _Scope) -> Iterator[Found]:
    match node:
        case nodes.Name() | nodes.Getattr() | nodes.Getitem() if path := path_of(node):
            root = path.partition(".")[0]
            if root not in scope.own and _is_read(node):
                optional = scope.optional or root in scope.asked
                yield Found(path, node.lineno, scope.inside, optional)
        case nodes.Filter(name="default" | "d", node=nodes.Node() as value):
            yield from _in(value, replace(scope, optional=True))
            yield from _all((*node.args, *node.kwargs), scope)
        case nodes.Test(name="defined" | "undefined"):
            yield from _in(node.node, replace(scope, optional=True))
        case nodes.For():
            yield from _in(node.iter, scope)
            inner = scope.inner("for", _names(node.target))
            yield from _all((node.test, *node.body), inner)
            yield from _all(node.else_, scope.inner("for"))
        case nodes.If() | nodes.CondExpr():
            yield from _in(node.test, scope)
            asked = scope.asked | {
                path_of(test.node).partition(".")[0]
                for test in (node.test, *node.test.find_all(nodes.Test))
                if isinstance(test, nodes.Test) and test.name == "defined"
            }
            inner = replace(scope.inner("if"), asked=asked)
            if isinstance(node, nodes.CondExpr):
                yield from _all((node.expr1, node.expr2), inner)
            else:
                yield from _all((*node.body, *node.elif_, *node.else_), inner)
        case nodes.Macro() | nodes.CallBlock():
            own = {argument.name for argument in node.args} | {"varargs", "kwargs"}
            if isinstance(node, nodes.CallBlock):
                yield from _in(node.call, scope)
            else:
                own.add("caller")
            yield from _all(node.defaults, scope)
            yield from _all(node.body, scope.inner("macro", own))
        case nodes.With():
            yield from _all(node.values, scope)
            own = {name for target in node.targets for name in _names(target)}
            inner = replace(scope, own=scope.own | own)
            yield from _all(node.body, inner)
        case _:
            yield from _all(node.iter_child_nodes(), scope)


def _is_read(node: nodes.Node) -> bool:
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return isinstance(node, nodes.Name) and node.ctx == "load"


def _all(parts: Iterable[nodes.Node | None], scope: _Scope) -> Iterator[Found]:
    for part in parts:
        if part is not None:
            yield from _in(part, scope)


def _names(target: nodes.Node) -> Iterator[str]:
    if isinstance(target, nodes.Name):
        yield target.name
    for name in target.find_all(nodes.Name):
        yield name.name
