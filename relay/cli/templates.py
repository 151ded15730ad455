"""`relay templates`: what is wrong with templates, how they look, what they make."""

from __future__ import annotations

import argparse
import importlib

from relay.cli import settings


def add(parser: argparse.ArgumentParser) -> None:
    """Add the three commands."""
    does = parser.add_subparsers(dest="does", metavar="COMMAND", required=True)
    lint = does.add_parser(
        "lint",
        help="say what is wrong with the templates, with file and line",
        description="Print what is wrong with the templates: unknown and unused "
        "variables, missing locales, insecure or relative links, images without alt, "
        "what common mail programs do not take, mail that Gmail clips, and places "
        "where a value does harm. Exit code 0: no error; 1: an error; 2: the settings "
        "or a test cannot be read.",
    )
    preview = does.add_parser(
        "preview",
        help="write a static page that shows all templates",
        description="Write a page to DIR, index.html and files beside it, that shows "
        "each template as phones and desktops do, light and dark, with its text and "
        "variables. It needs no network and no server. Exit code 0: written; 1: a "
        "template makes no mail of its values; 2: the settings cannot be read, or DIR "
        "cannot be written.",
    )
    test = does.add_parser(
        "test",
        help="compare what the templates make with what was kept",
        description="For each tests/NAME.json in the templates folder, compare the "
        "mail with the kept tests/NAME.eml and print what differs. Exit code 0: all "
        "are the same; 1: one differs, or there is none; 2: the settings or a test "
        "cannot be read.",
    )
    for command in (lint, preview, test):
        settings.add(command)
    lint.add_argument("--json", action="store_true", help="print one JSON object")
    preview.add_argument("directory", metavar="DIR", help="where the pages are written")
    test.add_argument("names", metavar="NAME", nargs="*", help="default: all")
    test.add_argument(
        "--update", action="store_true", help="keep what the templates make now"
    )


def run(options: argparse.Namespace) -> int:
    """Run the one that was asked for."""
    module = importlib.import_module(f"relay.cli.templates_{options.does}")
    code: int = module.run(options)
    return code
