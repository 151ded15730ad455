"""What a template makes of variables and of a mail, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.content.header import Message
from relay.model.submission import Envelope
from relay.templates.lint import problems
from relay.templates.template import Template
from relay.web.preview import Preview


def rendered(
    template: Template,
    message: Message,
    envelope: Envelope,
    variables: Mapping[str, Any],
) -> dict[str, Any]:
    """The mail in its parts, and what is wrong with it. Raises Refused."""
    content = template.apply(message, envelope, dict(variables))
    preview = Preview(content)
    fields = {name.lower(): value for name, value in reversed(preview.fields)}
    has_from = template.names_sender or bool(message.fields)
    return {
        "usage": template.usage,
        "locale": template.locale,
        "subject": preview.subject,
        # Without one of its own it has the From of the app's mail.
        "from": fields.get("from", "") if has_from else "",
        "to": fields.get("to", ""),
        "replyTo": fields.get("reply-to", ""),
        "text": preview.text,
        "html": preview.html,
        "source": template.source.content,
        "size": len(content),
        "problems": [
            {
                "kind": problem.kind,
                "text": problem.text,
                "line": problem.line,
                "level": problem.level,
            }
            for problem in problems(template, preview.source)
        ],
    }
