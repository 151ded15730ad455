"""The page's modules in as few files as a view needs, made of them as they are.

Each file costs a browser more than its bytes, and each level of imports a round trip.
So what is loaded by its name, the page's script and its views, has in it whatever it
alone imports; what several import is in the page's script, which hands it on. Every
module stays one: it runs once, and keeps its names to itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MAIN = "app.js"  # it is there before any other that is loaded by name
_IMPORT = re.compile(
    r"^import (?:\{ (?P<names>[^}]+) \}|\* as (?P<whole>\w+))"
    r' from "\./(?P<file>[\w.-]+)";$',
    re.MULTILINE,
)
_BY_NAME = re.compile(r'\bimport\("\./([\w.-]+)"\)')
_EXPORT = re.compile(
    r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE
)
# What a module may not have, since it would mean another thing in here.
_OTHER = re.compile(r"^(?:import\b(?!\()|export\b|await\b).*", re.MULTILINE)


def linked(modules: Mapping[str, str]) -> dict[str, str]:
    """Those of the modules that are loaded by name, each with what it needs.

    Raises ValueError where a module has an import or export of another form.
    """
    entries = _entries(modules)
    needs = {entry: _needed(entry, modules) for entry in entries}
    shared = [
        name
        for name in _needed_by_all(needs)
        if name in needs[MAIN] or sum(name in some for some in needs.values()) > 1
    ]
    made = {}
    for entry, needed in needs.items():
        main = entry == MAIN
        own = shared if main else [one for one in needed if one not in shared]
        given = [_variable(one) for one in needed if one in shared and not main]
        parts = [f'import {{ {", ".join(given)} }} from "./{MAIN}";'] if given else []
        parts += [_closed(name, modules[name]) for name in own]
        parts.append(_opened(entry, modules[entry]))
        if main and shared:
            parts.append(f"export {{ {', '.join(map(_variable, shared))} }};")
        made[entry] = "\n".join(parts) + "\n"
    return made


def _entries(modules: Mapping[str, str]) -> list[str]:
    found = [MAIN]
    for name in found:  # it grows meanwhile
        for needed in (name, *_needed(name, modules)):
            more = _BY_NAME.findall(modules[needed])
            found += [one for one in dict.fromkeys(more) if one not in found]
    return found


def _needed(name: str, modules: Mapping[str, str]) -> list[str]:
    """The modules that this one imports, each after those that it imports itself."""
    found: dict[str, None] = {}

    def visit(one: str) -> None:
        for match in _IMPORT.finditer(modules[one]):
            if match["file"] not in found:
                visit(match["file"])
                found[match["file"]] = None

    visit(name)
    return list(found)


def _needed_by_all(needs: Mapping[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(name for needed in needs.values() for name in needed))


def _variable(name: str) -> str:
    return f"${name.removesuffix('.js')}"


def _imported(match: re.Match[str]) -> str:
    names = (match["names"] or match["whole"]).replace(" as ", ": ")
    left = f"{{ {names} }}" if match["names"] else names
    return f"const {left} = {_variable(match['file'])};"


def _opened(name: str, text: str) -> str:
    """A module that has its names in its file's own scope, and its exports."""
    inner = _IMPORT.sub(_imported, text)
    _check(name, _EXPORT.sub("", inner))
    return inner


def _closed(name: str, text: str) -> str:
    """A module within another's file: a variable of what it exports."""
    exports = ", ".join(_EXPORT.findall(text))
    inner = _EXPORT.sub("", _IMPORT.sub(_imported, text))
    _check(name, inner)
    return (
        f"const {_variable(name)} = (() => {{\n{inner}\nreturn {{ {exports} }};\n}})();"
    )


def _check(name: str, inner: str) -> None:
    if other := _OTHER.search(inner):
        raise ValueError(f"{name}: cannot be linked: {other[0]}")
