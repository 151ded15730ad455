"""One template's mail, as the gallery shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay.model.reply import Refused
from relay.templates.kept import ENVELOPE, ORIGINAL
from relay.templates.lint import Problem
from relay.templates.template import Template
from relay.web.preview import Preview


@dataclass(frozen=True, slots=True)
class Shown:
    """What is seen of a usage in a locale; with `refused` nothing else is."""

    usage: str
    locale: str
    subject: str = ""
    sender: str = ""
    text: str = ""
    html: str | None = None  # harmless
    source: str = ""  # the HTML as it is
    size: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    refused: str = ""


def shown(
    template: Template,
    locale: str,
    variables: Mapping[str, Any],
    problems: Sequence[Problem],
) -> Shown:
    """What the template makes of variables, or why it makes nothing."""
    used = {
        name: _value(variables, name)
        for name in template.variables
        if not name.startswith("message.")
    }
    try:
        content = template.apply(ORIGINAL, ENVELOPE, variables)
    except Refused as refused:
        return Shown(
            template.usage,
            locale,
            variables=used,
            problems=problems,
            refused=str(refused.reply),
        )
    preview = Preview(content)
    fields = {name.lower(): value for name, value in reversed(preview.fields)}
    return Shown(
        template.usage,
        locale,
        subject=preview.subject,
        sender=fields.get("from", ""),
        text=preview.text,
        html=preview.html,
        source=preview.source or "",
        size=len((preview.source or "").encode("utf-8", "replace")),
        variables=used,
        problems=problems,
    )


def _value(variables: Mapping[str, Any], name: str) -> str:
    value: Any = variables
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
