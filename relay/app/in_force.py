"""The set in force: settings, and all that is made of them before a mail comes.

Read and checked whole, off the loop, and never changed: a mail takes one and keeps it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from relay import config, log
from relay.app import in_vain
from relay.app.guard import guard as read_guard
from relay.app.preparation import preparation
from relay.app.rules import rules as read_rules
from relay.app.templates import templates as read_templates
from relay.intake.prepare import Preparation
from relay.model.guard import Guard
from relay.rules.rules import RuleError, Rules
from relay.smtp.certificate import Certificate, SelfSigned
from relay.system.process import CannotStart
from relay.system.seen import Seen
from relay.templates.catalog import TemplateError, Templates
from relay.templates.source import Source

HASH_LENGTH = 8


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class InForce:
    """One set; `seen` are the files that it was read from.

    `made_of` is the same where the templates are.
    `hash` is the same for all relays that have the same set, `at` is when this one
    read it, in Unix seconds. `shown` is what the certificate's files were then,
    `warnings` what an operator may want to change, `tracked` what is one more where
    the SDK is too old for it.
    """

    settings: config.Config
    templates: Templates
    rules: Rules | None
    guard: Guard | None
    preparation: Preparation
    certificate: Certificate | SelfSigned | None
    seen: Seen
    made_of: str
    hash: str
    at: float
    shown: object
    warnings: tuple[str, ...]
    tracked: tuple[str, ...]


def in_force(
    settings: config.Config,
    certificate: Certificate | SelfSigned | None,
    seen: Seen,
    *,
    samples_too: bool = False,
    before: InForce | None = None,
) -> InForce:
    """The set of these settings. Raises CannotStart.

    What is as it was in the set `before` is taken from there.
    """
    found = templates(settings, samples_too=samples_too, seen=seen, before=before)
    compiled = rules(settings, found)
    guard = read_guard(settings)
    made_of = _made_of(found)
    return InForce(
        settings=settings,
        templates=found,
        rules=compiled,
        guard=guard,
        preparation=preparation(settings, found, compiled, guard),
        certificate=certificate,
        seen=seen,
        made_of=made_of,
        hash=_hash(settings, made_of),
        at=time.time(),
        shown=certificate.shown if isinstance(certificate, Certificate) else None,
        warnings=(
            *found.warnings,
            *config.warnings(settings),
            *in_vain.without_queue(settings, found),
            *config.exposed(settings, os.environ),
        ),
        tracked=tuple(in_vain.tracked(settings, found)),
    )


def tell_warnings(found: Sequence[str], known: Sequence[str] = ()) -> None:
    """Log what an operator may want to change, where that is not known already."""
    for warning in found:
        if warning not in known:
            log.line(logging.WARNING, "settings", warning=warning)


def changed(before: InForce, now: InForce) -> list[str]:
    """The settings at the top level that are others, by their names in the file."""
    from relay.config import restart

    found = list(restart.changed(before.settings, now.settings))
    for name, same in (
        ("templates", before.made_of == now.made_of),
        ("tls", before.shown == now.shown),
    ):
        if not same and name not in found:
            found.append(name)
    return found


def templates(
    settings: config.Config,
    *,
    samples_too: bool = False,
    seen: Seen | None = None,
    before: InForce | None = None,
) -> Templates:
    """The templates of the settings, fit for all ways in. Raises CannotStart."""
    seen = Seen() if seen is None else seen
    known = None
    if before is not None and not _named_changed(before):
        known = before.templates
    try:
        found = read_templates(
            settings, samples_too=samples_too, note=seen.note, known=known
        )
    except (config.ConfigError, TemplateError) as error:
        raise CannotStart(str(error)) from error
    if config.revealed(settings.intake.token) and (
        nameless := [
            template.source.place for template in found.all if not template.names_sender
        ]
    ):
        raise CannotStart(
            "\n".join(
                f"{place}: sendFrom: has no address, and mail by HTTP (intake.token) "
                "has no From of its own; set ses.emailAddress, or an address here"
                for place in nameless
            )
        )
    return found


def rules(settings: config.Config, templates: Templates) -> Rules | None:
    """The rules of the settings, None where there are none. Raises CannotStart."""
    try:
        return read_rules(settings, templates)
    except RuleError as error:
        raise CannotStart(str(error)) from error


def _named_changed(before: InForce) -> bool:
    """Tell whether a file changed that templates may name, whose text is the same."""
    folders = {
        template.source.folder.path
        for template in before.templates.all
        if template.source.folder is not None
    }
    return any(
        # Of a template itself its text tells, of what lies below and MJML nothing.
        (path.suffix.lower() not in (".html", ".txt") or path.parent not in folders)
        and not folders.isdisjoint(path.parents)
        and path != before.settings.file
        for path in before.seen.changed
    )


def _hash(settings: config.Config, made_of: str) -> str:
    """Of all that mail can tell the sets by; secrets show themselves to nobody."""
    found = hashlib.sha256(repr(settings.replaced(file=None)).encode())
    found.update(made_of.encode())
    return found.hexdigest()[:HASH_LENGTH]


def _made_of(templates: Templates) -> str:
    """A hash of what the templates were made of, wherever that stood."""
    found = hashlib.sha256()

    def add(text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        found.update(b"%d:" % len(data) + data)

    folders: dict[int, Mapping[str, str]] = {}
    for template in templates.all:
        source = template.source
        if source.folder is not None:
            folders[id(source.folder)] = source.folder.shared
        for image in template.images:
            add(image)
        if source.content_type == "text/mjml":  # of what it includes, too
            add(template.loaded.content)
        add(source.content)
        add(repr([getattr(source, name) for name in _TOLD]))
    for shared in folders.values():
        for name, text in shared.items():
            add(name)
            add(text)
    return found.hexdigest()


# What of a template's source says what its mail is; the rest, where that stood.
_TOLD = sorted(
    {each.name for each in fields(Source)}
    - {"content", "place", "file", "text_file", "setting_lines", "folder"}
)
