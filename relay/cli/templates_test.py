"""`relay templates test`: what the templates make, held against what was kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from relay import config
from relay.app import kept
from relay.app.templates import templates as read_templates
from relay.cli import settings
from relay.model.reply import Refused
from relay.system import files
from relay.templates.catalog import TemplateError, Templates
from relay.templates.kept import KeptError, KeptTest, differences

NONE = """\
{folder}: no tests yet. To make the first, write {folder}/signin.json:

  {{"usage": "SignIn", "locale": "en", "variables": {{"code": "123456"}}}}

and keep what the template makes of it now: relay templates test --update"""


class _Failed(Exception):  # noqa: N818 - a statement about a test
    """A test that failed; the text says how."""


def run(options: argparse.Namespace) -> int:
    """Compare; 1 when a mail differs, 2 when nothing can be compared."""
    chosen = settings.load(options)
    if chosen is None:
        return 2
    try:
        templates = read_templates(chosen, samples_too=not settings.any_set(options))
        tests = kept.tests(chosen)
        asked = _asked(tests, options.names)
    except (config.ConfigError, TemplateError, KeptError) as error:
        settings.complain(str(error))
        return 2
    if not tests:
        print(NONE.format(folder=kept.folder(chosen)))
        return 1
    failed = 0
    for test in asked:
        try:
            print(f"{test.name}: {_result(test, templates, update=options.update)}")
        except _Failed as failure:
            print(f"{test.name}: {failure}")
            failed += 1
        except OSError as error:
            settings.complain(f"{test.kept}: {error.strerror}")
            return 2
    print(f"{len(asked) - failed} of {len(asked)} as kept")
    return 1 if failed else 0


def _asked(tests: Sequence[KeptTest], names: Sequence[str]) -> Sequence[KeptTest]:
    known = {test.name: test for test in tests}
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(known) or "none"
        raise KeptError(f"no test {', '.join(unknown)}; there are: {there}")
    return [known[name] for name in dict.fromkeys(names)] if names else tests


def _result(test: KeptTest, templates: Templates, *, update: bool) -> str:
    """What to say of a test that is as it should be. Raises _Failed, OSError."""
    try:
        made = test.mail(templates)
    except Refused as refused:
        raise _Failed(f"refused: {refused.reply}") from None
    was = _kept(test.kept)
    if was is None:
        if not update:
            raise _Failed(
                f"{test.kept} is not there; relay templates test --update makes it"
            )
        test.kept.write_bytes(made)
        return "new, kept"
    try:
        differs = list(differences(test.kept.name, was, made))
    except Refused as refused:
        differs = [f"{test.kept} is no mail that can be read: {refused.reply}"]
    if not differs:
        return "same"
    if update:
        test.kept.write_bytes(made)
        return "changed, kept"
    raise _Failed("\n".join(("differs", *differs)))


def _kept(file: Path) -> bytes | None:
    if not file.exists():
        return None
    try:
        return files.read(file, limit=files.TEXT_BYTES * 4)
    except ValueError as error:
        raise _Failed(f"{file}: {error}") from None
