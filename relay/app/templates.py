"""The templates that the settings name, read and compiled."""

from __future__ import annotations

from relay.config import Config, ConfigError, read_text
from relay.config.models import Template
from relay.config.values import per_recipient
from relay.model.mail import Priority
from relay.templates.catalog import Templates
from relay.templates.template import Source


def templates(settings: Config, *, samples_too: bool = False) -> Templates:
    """All of them; the samples, if `samples_too`, where the settings name none.

    Raises ConfigError and TemplateError.
    """
    found = sources(settings)
    if samples_too and not found:
        from relay.templates import samples

        found = samples.sources()
    return Templates(
        found,
        email_address=settings.ses.email_address,
        missing=settings.missing_variables,
    )


def _priority(template: Template) -> Priority:
    """Its own; a code, which is worth nothing later, is high."""
    if template.priority:
        return Priority[template.priority.upper()]
    return Priority.NORMAL if template.valid_for is None else Priority.HIGH


def sources(settings: Config) -> tuple[Source, ...]:
    """The templates, their files read. Raises ConfigError."""
    found, mistakes = [], []
    for number, template in enumerate(settings.templates):
        place = f"{settings.file or 'settings'}: templates[{number}]"
        content = template.content
        if template.content_file:
            path = settings.directory / template.content_file
            try:
                content = read_text(path)
            except ValueError as error:
                mistakes.append(f"{place}.contentFile = {str(path)!r}: {error}")
        found.append(
            Source(
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
                unsubscribe=template.unsubscribe,
                per_recipient=per_recipient(template.per_recipient)
                if template.per_recipient
                else None,
                over_limit=template.over_limit,
                place=f"{place} ({template.usage_type})",
            )
        )
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return tuple(found)
