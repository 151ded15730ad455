"""Which names a text in Jinja's syntax sets, and which it reads; for the lint."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, nodes

from relay.templates.jinja.environment import MailEnvironment
from relay.templates.jinja.run import Runs


@dataclass(frozen=True, slots=True)
class Sets:
    """Names with the line of each `{% set %}`, and names that are read anywhere."""

    made: tuple[tuple[str, int], ...] = ()
    read: frozenset[str] = frozenset()


def sets(text: str) -> Sets:
    """What a text sets and reads; nothing of one that is no Jinja."""
    try:
        tree = MailEnvironment(Runs(), html=True).parse(text)
    except (TemplateSyntaxError, RecursionError):
        return Sets()  # compiling it has said so
    made = [
        (node.target.name, node.lineno)
        for node in tree.find_all((nodes.Assign, nodes.AssignBlock))
        if isinstance(node, nodes.Assign | nodes.AssignBlock)
        and isinstance(node.target, nodes.Name)
    ]
    names = tree.find_all(nodes.Name)
    return Sets(
        tuple(made), frozenset(name.name for name in names if name.ctx == "load")
    )
