"""What a template makes of variables and of a mail, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relay.content.header import Message
from relay.model.submission import Envelope
from relay.templates.known import Given
from relay.templates.lint import Problem, problems
from relay.templates.template import Template
from relay.web.preview import Preview


def rendered(
    template: Template,
    message: Message,
    envelope: Envelope,
    variables: Mapping[str, Any],
    *,
    usages: Sequence[str],
    given: Given,
) -> dict[str, Any]:
    """The mail in its parts, and what is wrong with it. Raises Refused.

    `usages` have templates; `given` is what their mail has beside what Logto passes.
    """
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
            _described(problem)
            for problem in problems(
                template, preview.source, usages=usages, given=given
            )
        ],
    }


def _described(problem: Problem) -> dict[str, Any]:
    """`line` is in the content, `fileLine` in the file that it may come from."""
    return {
        "kind": problem.kind,
        "text": problem.text,
        "line": problem.line,
        "column": problem.column,
        "level": problem.level,
        "file": problem.file,
        "fileLine": problem.row,
    }
