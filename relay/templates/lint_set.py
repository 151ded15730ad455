"""What is wrong with templates together: locales, what none uses, sizes by locale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.content.header import parse
from relay.content.original import Original
from relay.model.reply import Refused
from relay.templates.catalog import Maker, TemplateError, Templates
from relay.templates.kept import ENVELOPE, ORIGINAL, KeptTest
from relay.templates.known import LOGTO, Given, is_told
from relay.templates.lint import (
    CLIPPED_AT,
    Problem,
    clipped,
    faults,
    file_of,
    problems,
    said,
)
from relay.templates.placeholder import spot
from relay.templates.samples import VARIABLES
from relay.templates.source import Source
from relay.templates.template import Template


def lint(
    sources: Sequence[Source],
    tests: Sequence[KeptTest],
    given: Given,
    *,
    email_address: str = "",
) -> list[Problem]:
    """All that is wrong, by file and line, each once."""
    usages = list(dict.fromkeys(source.usage_type for source in sources))
    found: list[Problem] = []
    sound = []
    maker = Maker(email_address, "keep")
    for source in sources:
        # What is not given is said by name; to see the rest, nothing is refused.
        template = maker.of(source)
        if template.errors:
            found += faults(template)
            continue
        sound.append(source)
        found += problems(template, "", usages=usages, given=given)
    if any(
        source.syntax == "jinja" or source.content_type == "text/mjml"
        for source in sources
    ):
        from relay.templates.lint_files import files_problems  # with all of Jinja

        found += files_problems(sources)
    try:
        templates = Templates(sound, email_address=email_address, missing="keep")
    except TemplateError as error:  # two for one usage and locale
        found += (said(sound[0], line, "error") for line in str(error).split("\n"))
    else:
        if len(sound) == len(sources):
            found += _missing_locales(templates)
        found += _untold(templates, given)
        found += _clipped(templates, tests)
        found += _unused(templates, tests)
    return sorted(
        dict.fromkeys(found), key=lambda one: (one.file, one.row, one.column, one.text)
    )


def _missing_locales(templates: Templates) -> Iterator[Problem]:
    """Usages whose mail has no template in a language that others have."""
    locales = {each.locale: None for each in templates.all if each.locale}
    own = {(each.usage, each.locale): each for each in templates.all}
    for usage in templates.usages:
        first = next(each for each in templates.all if each.usage == usage).source
        lacking = [locale for locale in locales if not _has(templates, usage, locale)]
        whole = (usage, "") in own
        falls = "the one without a locale" if whole else "Generic's, or is refused"
        said = []
        if lacking:
            said.append(f"in {', '.join(lacking)}, as others have; such mail gets")
        if not whole:
            said.append("without a locale; mail in any other language gets")
        for what in said:
            yield Problem(
                "locale",
                f"{usage} has no template {what} {falls}",
                file=file_of(first, "content"),
                row=first.first_line,
            )


def _untold(templates: Templates, given: Given) -> Iterator[Problem]:
    """Usages whose variables cannot be checked, said once for each."""
    for usage in templates.usages:
        if is_told(usage, given):
            continue
        source = next((one.source for one in templates.all if _asks(one, usage)), None)
        if source is not None:
            yield Problem(
                "variable",
                f"nothing says which variables {usage} has, so none of their names is "
                "checked; a kept test does",
                file=file_of(source, "content"),
                row=source.first_line,
            )


def _asks(template: Template, usage: str) -> bool:
    names = (use.name for use in template.uses)
    return template.usage == usage and any(
        not name.startswith("message.") for name in names
    )


def _has(templates: Templates, usage: str, locale: str) -> bool:
    try:
        found = templates.choose(usage, locale)
    except Refused:
        return False
    # One of Jinja's that asks for the locale may hold several languages.
    is_jinja = found.source.syntax == "jinja"
    asks = is_jinja and any(use.name == "locale" for use in found.uses)
    return found.usage == usage and (bool(found.locale) or asks)


def _clipped(templates: Templates, tests: Sequence[KeptTest]) -> Iterator[Problem]:
    """Templates whose mail is cut off, said for the locale in which it is largest."""
    locales = dict.fromkeys(("", *(each.locale for each in templates.all)))
    tries: list[tuple[str, str, Mapping[str, Any]]] = [
        (usage, locale, VARIABLES) for usage in templates.usages for locale in locales
    ]
    tries += [(test.usage, test.locale, test.variables) for test in tests]
    largest: dict[tuple[str, str], tuple[int, str]] = {}
    for usage, locale, variables in tries:
        try:
            template = templates.choose(usage, locale)
            size = len(_html(template, {**variables, "locale": locale or "en"}))
        except Refused:  # for these values: the test says it
            continue
        key = template.usage, template.locale
        largest[key] = max(largest.get(key, (0, "")), (size, locale))
    for template in templates.all:
        size, locale = largest.get((template.usage, template.locale), (0, ""))
        if size > CLIPPED_AT:
            yield clipped(template.source, size, locale)


def _html(template: Template, variables: Mapping[str, Any]) -> bytes:
    mail = Original(parse(template.apply(ORIGINAL, ENVELOPE, variables)), ENVELOPE)
    return mail.html.encode("utf-8", "replace") if mail.has_html else b""


def _unused(templates: Templates, tests: Sequence[KeptTest]) -> Iterator[Problem]:
    """What tests give, Logto does not pass, and no template of the usage uses."""
    used: dict[str, set[str]] = {}
    for template in templates.all:
        names = used.setdefault(template.usage, set())
        names |= {use.name.partition(".")[0] for use in template.uses}
    for test in tests:
        usage = test.usage if test.usage in used else "Generic"
        known = {"locale", *LOGTO.get(test.usage, ())}
        for name in test.variables:
            if name in known or name in used.get(usage, ()):
                continue
            line, column = spot(test.text, max(test.text.find(f'"{name}"'), 0))
            text = f"{name}: no template of {usage} uses it"
            yield Problem("unused", text, file=str(test.file), row=line, column=column)
