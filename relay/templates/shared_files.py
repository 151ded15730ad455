"""The shared files of a folder, dressed: a layout has most of the styles and images.

What is done to a template's own content at load is done to them once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from relay.templates.dress import Dress
from relay.templates.source import Beside, Folder, Source


def with_shared(sources: Iterable[Source]) -> tuple[Source, ...]:
    """The sources, in folders whose shared files are as they are to be compiled."""
    made: dict[tuple[int, bool], Folder] = {}
    found: list[Source] = []
    for source in sources:
        folder = source.folder
        if folder is None or not folder.shared or source.content_type == "text/plain":
            found.append(source)
            continue
        key = id(folder), source.inline_css
        if key not in made:
            made[key] = _dressed(folder, inline_css=source.inline_css)
        found.append(replace(source, folder=made[key]))
    return tuple(found)


def _dressed(folder: Folder, *, inline_css: bool) -> Folder:
    pages = {
        name: text
        for name, text in folder.shared.items()
        if Path(name).suffix.lower() == ".html"
    }
    css = _styles(pages) if inline_css else {}
    near = {name: folder.named_in(text) for name, text in pages.items()}
    shared = dict(folder.shared)
    beside: dict[str, Beside] = {}
    for name, text in pages.items():
        dress = Dress(folder.path, partial(_line, folder.path / name))
        styled = text
        if inline_css:
            # What is included has the styles of what includes it, and they its.
            others = [
                css[other]
                for other in css
                if other != name and (name in near[other] or other in near[name])
            ]
            styled = dress.with_styles(text, "jinja", css="\n".join(others))
        shared[name], images = dress.with_images(styled)
        found = Beside(
            images, css.get(name, ""), tuple(dress.errors), tuple(dress.warnings)
        )
        if found != Beside():
            beside[name] = found
    return replace(folder, shared=shared, beside=beside) if beside else folder


def _styles(pages: Mapping[str, str]) -> dict[str, str]:
    from relay.templates.inline_css import styles

    return {name: styles(text, "jinja") for name, text in pages.items()}


def _line(path: Path, line: int) -> str:
    return f"{path}:{line}"
