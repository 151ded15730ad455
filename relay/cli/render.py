"""`relay render`: what a template makes of the variables, without sending."""

from __future__ import annotations

import argparse
import email
import sys
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from relay import config, log
from relay.app.templates import templates as read_templates
from relay.cli import settings, variables
from relay.content.header import parse
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.catalog import TemplateError


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    settings.add(parser)
    parser.add_argument("usage", metavar="USAGE", help="whose template it is")
    variables.add(parser)
    parser.add_argument(
        "--to", default="ann@example.com", metavar="ADDRESS", help="the recipient"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="write the HTML there, to open in a browser"
    )
    parser.add_argument("--raw", action="store_true", help="print the mail as it goes")


def run(options: argparse.Namespace) -> int:
    """Render; 1 when the relay would refuse such a mail."""
    chosen = settings.load(options)
    if chosen is None:
        return 2
    try:
        templates = read_templates(chosen, samples_too=not settings.any_set(options))
    except (config.ConfigError, TemplateError) as error:
        settings.complain(str(error))
        return 2
    log.setup(format="text", level="error")  # which says where a template fails
    values = variables.given(options)
    locale = options.locale or str(values.get("locale", ""))
    if options.locale:
        values.setdefault("locale", options.locale)
    try:
        template = templates.choose(options.usage, locale)
        envelope = Envelope("app@localhost.localdomain", (options.to,))
        content = template.apply(parse(b""), envelope, values, locale=locale)
    except Refused as refused:
        settings.complain(str(refused.reply))
        return 1
    if options.raw:
        sys.stdout.write(content.decode("utf-8", "replace").replace("\r\n", "\n"))
        return 0
    message = email.message_from_bytes(content, policy=default)
    return _show(message, options.html)


def _show(message: EmailMessage, html_file: str | None) -> int:
    for name in ("From", "Reply-To", "To", "Subject"):
        if message[name]:
            print(f"{name}: {message[name]}")
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        if body is None:
            continue
        text = str(body.get_content())
        if kind == "html" and html_file:
            try:
                Path(html_file).write_text(text, "utf-8")
            except OSError as error:
                settings.complain(f"--html {html_file}: {error.strerror}")
                return 2
            print(f"\nHTML written to {html_file}")
        else:
            print(f"\n--- text/{kind}\n{text.rstrip()}")
    return 0
