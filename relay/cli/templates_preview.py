"""`relay templates preview DIR`: a page that shows all templates, without a server."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from relay import config
from relay.app import kept
from relay.app.templates import sources
from relay.cli import settings
from relay.cli.gallery.directory import DirectoryError, write
from relay.cli.gallery.pages import pages
from relay.cli.gallery.shown import Shown, shown
from relay.templates import samples
from relay.templates.catalog import TemplateError, Templates
from relay.templates.kept import KeptError, KeptTest
from relay.templates.known import Given
from relay.templates.lint import problems


def run(options: argparse.Namespace) -> int:
    """Write the page; 1 when a template makes no mail, 2 when nothing is written."""
    chosen = settings.load(options)
    if chosen is None:
        return 2
    try:
        found = sources(chosen)
        if not found and not settings.any_set(options):
            found = samples.sources()
        # Shown as they are written where a value is missing, which the lint says.
        templates = Templates(
            found, email_address=chosen.ses.email_address, missing="keep"
        )
        tests = kept.tests(chosen)
    except (config.ConfigError, TemplateError, KeptError) as error:
        settings.complain(str(error))
        return 2
    if not found:
        settings.complain(settings.NO_TEMPLATES)
        return 2
    mails = list(_mails(templates, tests, kept.given(chosen, tests)))
    directory = Path(options.directory)
    try:
        write(directory, pages(mails))
    except DirectoryError as error:
        settings.complain(str(error))
        return 2
    count = f"{len(mails)} mail{'' if len(mails) == 1 else 's'}"
    print(f"{count}: {directory / 'index.html'}")
    refused = [mail for mail in mails if mail.refused]
    for mail in refused:
        settings.complain(f"{_name(mail.usage, mail.locale)}: {mail.refused}")
    return 1 if refused else 0


def _mails(
    templates: Templates,
    tests: Sequence[KeptTest],
    given: Given,
) -> Iterator[Shown]:
    """Each usage in each locale that has a mail of its own."""
    locales = dict.fromkeys(("", *(each.locale for each in templates.all)))
    for usage in templates.usages:
        for locale in locales:
            template = templates.choose(usage, locale)
            alone = template.usage == usage and template.locale == locale
            # A template of one language may hold several: what it makes depends on it.
            several = template.usage == usage and template.source.syntax != "simple"
            if not (alone or several):
                continue
            found = problems(template, None, usages=templates.usages, given=given)
            values = _values(usage, locale, tests)
            yield shown(template, locale, values, found)


def _values(usage: str, locale: str, tests: Sequence[KeptTest]) -> dict[str, Any]:
    """Samples, and over them what a kept test gives."""
    values: dict[str, Any] = {**samples.VARIABLES, "locale": locale or "en"}
    own = [test for test in tests if test.usage == usage]
    fitting = [test for test in own if test.locale == locale] or own
    if fitting:
        values |= fitting[0].variables
        if locale:
            values["locale"] = locale
    return values


def _name(usage: str, locale: str) -> str:
    return f"{usage} {locale}".strip()
