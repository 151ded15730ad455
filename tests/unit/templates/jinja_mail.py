"""A mail that a template in Jinja's syntax makes, for the tests beside it."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from relay.content.header import parse
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.catalog import TemplateError, Templates
from relay.templates.source import Folder, Source

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))
ORIGINAL = (
    b"From: App <app@acme.example>\r\nTo: ann@example.net\r\n"
    b"Subject: old =?utf-8?q?=C3=A9?=\r\n\r\nold <body>\r\n"
)


def jinja(
    content: str,
    *,
    files: dict[str, str] | None = None,
    subject: str = "Hi",
    **more: Any,  # noqa: ANN401 - fields of any type
) -> Source:
    folder = Folder(Path("t"), files or {})
    given: dict[str, Any] = {
        "syntax": "jinja",
        "place": "here",
        "folder": folder,
    } | more
    return Source("SignIn", subject, content, **given)


def text(content: str, **more: Any) -> Source:  # noqa: ANN401
    return jinja(content, content_type="text/plain", **more)


def made(
    source: Source,
    variables: dict[str, Any] | None = None,
    *,
    missing: str = "reject",
    original: bytes = ORIGINAL,
    locale: str = "",
) -> EmailMessage:
    template = Templates([source], missing=missing).choose("SignIn", "")
    content = template.apply(parse(original), ENVELOPE, variables or {}, locale=locale)
    mail = email.message_from_bytes(content, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


def html(content: str, variables: dict[str, Any] | None = None, **more: Any) -> str:  # noqa: ANN401
    files = more.pop("files", None)
    return body(made(jinja(content, files=files), variables, **more), "html")


def plain(content: str, variables: dict[str, Any] | None = None, **more: Any) -> str:  # noqa: ANN401
    source = {key: more.pop(key) for key in ("files", "timezone") if key in more}
    return body(made(text(content, **source), variables, **more), "plain")


def refusal(
    source: Source,
    variables: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401
) -> str:
    with pytest.raises(Refused) as caught:
        made(source, variables, **more)
    return str(caught.value.reply)


def problems(*sources: Source) -> list[str]:
    with pytest.raises(TemplateError) as caught:
        Templates(sources)
    return str(caught.value).splitlines()
