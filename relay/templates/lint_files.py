"""What is wrong in files that templates share, and what none of them reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from relay.templates.jinja.sets import sets
from relay.templates.lint import MAX_FOUND, Problem, located
from relay.templates.lint_html import html_problems, text_problems
from relay.templates.masked import masked
from relay.templates.placeholder import spot
from relay.templates.source import Folder, Source


def files_problems(sources: Sequence[Source]) -> Iterator[Problem]:
    """Of Jinja's `include` and the like, and MJML's; each file is looked at once."""
    jinja = [source for source in sources if source.syntax == "jinja"]
    named = [source.folder for source in jinja if source.folder is not None]
    folders = {folder.path: folder for folder in named}
    for folder in folders.values():
        for name, text in folder.shared.items():
            yield from _in_file(folder, name, text, "jinja")
    included = {
        (source.folder.path, name): source.folder
        for source in sources
        if source.content_type == "text/mjml" and source.folder is not None
        for name in source.folder.named_in(source.content)
        if source.folder.path not in folders
    }
    for (_, name), folder in included.items():
        yield from _in_file(folder, name, folder.shared[name], "simple")
    yield from _unused(jinja, list(folders.values()))


def _in_file(folder: Folder, name: str, text: str, syntax: str) -> Iterator[Problem]:
    bare = masked(text, syntax)
    found = text_problems(bare) if name.endswith(".txt") else html_problems(bare)
    for one in islice(found, MAX_FOUND):
        row, column = spot(text, one.position)
        file = str(folder.path / name)
        yield Problem(one.kind, one.text, 0, one.level, file, row, column)


def _unused(sources: Sequence[Source], folders: Sequence[Folder]) -> Iterator[Problem]:
    """Names that `{% set %}` makes, and neither the file nor one beside it reads."""
    shared = {
        folder.path / name: sets(text)
        for folder in folders
        for name, text in folder.shared.items()
    }
    in_shared = frozenset().union(*(each.read for each in shared.values()))
    own = [(source, sets(source.content)) for source in sources]
    in_own = frozenset().union(*(each.read for _, each in own))
    texts = (
        text
        for source in sources
        for text in (source.subject, source.text, source.send_from, source.reply_to)
    )
    in_own |= frozenset().union(*(sets(text).read for text in texts if "{" in text))
    for file, each in shared.items():
        for name, line in each.made:
            if name not in in_shared | in_own:
                yield Problem("unused", _said(name), file=str(file), row=line)
    for source, each in own:
        for name, line in each.made:
            if name not in each.read | in_shared:
                position = sum(map(len, source.content.splitlines(True)[: line - 1]))
                problem = ("unused", "warning", _said(name))
                yield located(source, "content", position, problem)


def _said(name: str) -> str:
    return f"{{% set {name} %}}: nothing uses it"
