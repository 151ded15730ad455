"""The templates that the settings name, read and compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from relay import config
from relay.config import Config, ConfigError, Note, front_matter, read_text
from relay.config.explain import to_camel
from relay.config.models import Template
from relay.config.values import per_recipient
from relay.model.mail import Priority
from relay.templates.catalog import Templates, Tried
from relay.templates.files import FileError, TemplateFile, files, shared
from relay.templates.known import Given
from relay.templates.shared_files import with_shared
from relay.templates.source import Folder, Source

if TYPE_CHECKING:
    from relay.templates.kept import KeptTest

# Of a folder so many are looked at for changes.
MOST_FILES = 10_000
PICTURES = frozenset((".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"))


def templates(
    settings: Config,
    *,
    samples_too: bool = False,
    note: Note = lambda path: None,
    known: Templates | None = None,
) -> Templates:
    """All of them; the samples, if `samples_too`, where the settings name none.

    `note` is told of each file before it is read, and what is as in `known` is taken
    from there. Raises ConfigError and TemplateError.
    """
    found = sources(settings, note)
    if samples_too and not found and not settings.templates_dir:
        from relay.templates import samples

        found = samples.sources()
    return Templates(
        found,
        email_address=settings.ses.email_address,
        missing=settings.missing_variables,
        known=known,
        given=partial(_given, settings),
        tried=partial(_tried, settings),
    )


def _given(settings: Config) -> Given:
    """What rules and kept tests bring."""
    from relay.app import kept  # for who looks at templates, not for mail

    return kept.given(settings, _tests(settings))


def _tried(settings: Config) -> Tried:
    """What kept tests have; of several for one mail the first."""
    return {
        (test.usage, test.locale): test.variables for test in reversed(_tests(settings))
    }


def _tests(settings: Config) -> Sequence[KeptTest]:
    """The kept tests; none where one cannot be read, which `relay templates` says."""
    from relay.app import kept
    from relay.templates.kept import KeptError

    try:
        return kept.tests(settings)
    except KeptError:
        return ()


def sources(settings: Config, note: Note = lambda path: None) -> tuple[Source, ...]:
    """The templates, their files read. Raises ConfigError."""
    mistakes: list[str] = []
    found: list[Source] = []
    folder: Folder | None = None
    listed: tuple[TemplateFile, ...] = ()
    if settings.templates_dir:
        try:
            folder, listed = _folder(settings, note)
        except ConfigError as error:
            mistakes.append(str(error))
    folders = {} if folder is None else {folder.path: folder}
    for number, template in enumerate(settings.templates):
        place = f"{settings.file or 'settings'}: templates[{number}]"
        try:
            content, file = template.content, None
            if template.content_file:
                file = settings.directory / template.content_file
                note(file)
                content = _content(file, place)
                if file.parent not in folders:
                    _note_beside(file, note)
                    folders[file.parent] = _beside(file, settings)
            source = _source(
                template, settings, content, f"{place} ({template.usage_type})"
            )
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        own = folder if file is None else folders[file.parent]
        found.append(replace(source, file=file, folder=own))
    for each in listed:
        try:
            source = _of_file(each, settings)
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        found.append(replace(source, folder=folder))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return with_shared(found)


def _folder(settings: Config, note: Note) -> tuple[Folder, tuple[TemplateFile, ...]]:
    path = settings.directory / settings.templates_dir
    note(path)
    place = f"{settings.file or 'settings'}: templatesDir = {settings.templates_dir!r}"
    if not path.is_dir():
        raise ConfigError(f"{place}: {path} is no directory that can be read")
    spool = config.spool_path(settings).name
    for each in islice(path.rglob("*"), MOST_FILES):  # what they include, too
        hidden = any(name.startswith(".") for name in each.relative_to(path).parts)
        if not (hidden or each.name.startswith(spool)):
            note(each)
    try:
        inside = files(path, read_text)
    except FileError as error:
        raise ConfigError(str(error)) from None
    return Folder(path, inside.shared), inside.templates


def _content(file: Path, place: str) -> str:
    try:
        return read_text(file)
    except ValueError as error:
        raise ConfigError(f"{place}.contentFile = {str(file)!r}: {error}") from error


def _note_beside(file: Path, note: Note) -> None:
    """Tell of what a `contentFile` may include or show; there may be much else."""
    for each in sorted(islice(file.parent.glob("*"), MOST_FILES)):
        if each.name.startswith("_") or each.suffix.lower() in PICTURES:
            note(each)


def _beside(file: Path, settings: Config) -> Folder:
    """The folder of a `contentFile`, with what is for Jinja's `include`."""
    if not any(
        (template.syntax or settings.syntax) == "jinja"
        for template in settings.templates
        if (settings.directory / template.content_file).parent == file.parent
    ):
        return Folder(file.parent)
    try:
        return Folder(file.parent, shared(file.parent, read_text))
    except FileError as error:
        raise ConfigError(str(error)) from None


def _of_file(file: TemplateFile, settings: Config) -> Source:
    template = front_matter(
        file.settings,
        file.path,
        usage=file.usage,
        locale=file.locale,
        content_type=file.content_type,
        setting_lines=file.setting_lines,
    )
    if template.text and file.text_file is not None:
        raise ConfigError(
            f"{file.path}:{file.setting_lines.get('text', 1)}: text: is given beside "
            f"{file.text_file.name}; keep one"
        )
    source = _source(template, settings, file.content, str(file.path))
    return replace(
        source,
        text=file.text or template.text,
        file=file.path,
        text_file=file.text_file,
        first_line=file.first_line,
        setting_lines={to_camel(key): at for key, at in file.setting_lines.items()},
    )


def _source(template: Template, settings: Config, content: str, place: str) -> Source:
    return Source(
        usage_type=template.usage_type,
        subject=template.subject,
        content=content,
        content_type=template.content_type,
        text=template.text,
        locale=template.locale,
        send_from=template.send_from,
        reply_to=template.reply_to,
        valid_for=template.valid_for,
        supersedes=template.supersedes,
        priority=_priority(template),
        attachments=template.attachments,
        tracking=template.tracking,
        inline_css=settings.inline_css
        if template.inline_css is None
        else template.inline_css,
        unsubscribe=template.unsubscribe,
        per_recipient=per_recipient(template.per_recipient)
        if template.per_recipient
        else None,
        over_limit=template.over_limit,
        place=place,
        syntax=template.syntax or settings.syntax,
        timezone=template.timezone or settings.timezone,
    )


def _priority(template: Template) -> Priority:
    """Its own; a code, which is worth nothing later, is high."""
    if template.priority:
        return Priority[template.priority.upper()]
    return Priority.NORMAL if template.valid_for is None else Priority.HIGH
