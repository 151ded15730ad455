"""`relay templates lint`: what is wrong with the templates, for people and programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from relay import config
from relay.app import kept
from relay.app.templates import sources
from relay.cli import settings
from relay.templates.kept import KeptError
from relay.templates.lint import Problem
from relay.templates.lint_set import lint


def run(options: argparse.Namespace) -> int:
    """Look; 1 when there is an error, 2 when there is nothing to look at."""
    chosen = settings.load(options)
    if chosen is None:
        return 2
    try:
        found = sources(chosen)
        tests = kept.tests(chosen)
    except (config.ConfigError, KeptError) as error:
        settings.complain(str(error))
        return 2
    if not found:
        settings.complain(settings.NO_TEMPLATES)
        return 2
    problems = lint(
        found,
        tests,
        kept.given(chosen, tests),
        email_address=chosen.ses.email_address,
    )
    errors = sum(problem.level == "error" for problem in problems)
    if options.json:
        print(json.dumps(_as_json(problems, len(found)), ensure_ascii=False, indent=2))
    else:
        print(_as_text(problems, len(found)))
    return 1 if errors else 0


def _as_json(problems: Sequence[Problem], templates: int) -> dict[str, Any]:
    return {
        "problems": [
            {
                "file": problem.file,
                "line": problem.row,
                "column": problem.column,
                "level": problem.level,
                "rule": problem.kind,
                "text": problem.text,
            }
            for problem in problems
        ],
        "errors": sum(problem.level == "error" for problem in problems),
        "warnings": sum(problem.level == "warning" for problem in problems),
        "templates": templates,
    }


def _as_text(problems: Sequence[Problem], templates: int) -> str:
    lines = [
        f"{problem.file}:{problem.row}:{problem.column}: {problem.level}: "
        f"{problem.text} ({problem.kind})"
        for problem in problems
    ]
    errors = sum(problem.level == "error" for problem in problems)
    counted = (
        f"{_count(errors, 'error')} and {_count(len(problems) - errors, 'warning')} "
        f"in {_count(templates, 'template')}"
    )
    return "\n".join((*lines, counted))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
