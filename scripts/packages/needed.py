"""What a distribution needs, by its own metadata and that of all it needs."""

from __future__ import annotations

from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# The distributions by their normal names, each with the names of what it needs itself.
Needed = dict[str, tuple[Distribution, list[str]]]


def needed(root: Distribution, extras: frozenset[str] = frozenset()) -> Needed:
    """`root` with `extras`, and what it needs here, as it is installed beside us."""
    found: Needed = {}
    wanted: dict[str, frozenset[str]] = {}
    name = canonicalize_name(root.name)
    to_do = [(name, extras)]
    while to_do:
        name, extras = to_do.pop()
        if extras <= wanted.get(name, frozenset()) and name in found:
            continue
        wanted[name] = extras = extras | wanted.get(name, frozenset())
        one = root if name == canonicalize_name(root.name) else distribution(name)
        below = [
            requirement
            for text in one.requires or ()
            if _holds(requirement := Requirement(text), extras)
        ]
        found[name] = (one, sorted({canonicalize_name(each.name) for each in below}))
        to_do += (
            (canonicalize_name(each.name), frozenset(each.extras)) for each in below
        )
    return found


def _holds(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Tell whether it is needed on this machine, with one of these extras."""
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({"extra": extra}) for extra in (extras or {""})
    )
