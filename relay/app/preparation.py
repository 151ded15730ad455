"""What makes mails of submissions, as the settings want it."""

from __future__ import annotations

from relay.app.senders import senders
from relay.config import Config
from relay.intake.prepare import Preparation
from relay.model.guard import Guard
from relay.rules.rules import Rules
from relay.templates.catalog import Templates


def preparation(
    settings: Config,
    templates: Templates,
    rules: Rules | None,
    guard: Guard | None = None,
) -> Preparation:
    """By the templates and rules of the same settings."""
    return Preparation(
        templates=templates,
        usage_header=settings.usage_header,
        without_usage=settings.without_usage,
        accounts=senders(settings, templates),
        headers_of=settings.headers_of,
        rules=rules,
        guard=guard,
    )
