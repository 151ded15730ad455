"""What makes mails of submissions, as the settings want it."""

from __future__ import annotations

from relay.config import Config
from relay.intake.prepare import Preparation
from relay.rules.rules import Rules
from relay.templates.catalog import Templates


def preparation(
    settings: Config, templates: Templates, rules: Rules | None
) -> Preparation:
    """By the templates and rules of the same settings."""
    return Preparation(
        templates=templates,
        usage_header=settings.usage_header,
        without_usage=settings.without_usage,
        client_headers=settings.ses.client_headers,
        headers_of=settings.headers_of,
        tags=settings.ses.tags,
        usage_tag=settings.ses.usage_tag,
        reencode=settings.ses.reencode == "auto",
        rules=rules,
    )
