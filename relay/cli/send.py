"""`relay send`: a test mail over real SMTP."""

from __future__ import annotations

import argparse
import getpass
import json
import mimetypes
import smtplib
import sys
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path

from relay.cli import connection, password, variables


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--to", action="append", required=True, metavar="ADDRESS", help="a recipient"
    )
    parser.add_argument(
        "--from",
        dest="sender",
        metavar="ADDRESS",
        default="app@localhost.localdomain",
        help="the sender, of the envelope and of From",
    )
    parser.add_argument(
        "--usage", default="", help="usage header; none: passed through"
    )
    variables.add(parser)
    parser.add_argument(
        "--server",
        default=connection.SERVER,
        metavar="HOST:PORT",
        help="the relay's listener, or unix:/PATH",
    )
    connection.add(parser, timeout="60")
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="log in; the password is asked for, or from stdin",
    )
    parser.add_argument("--subject", default="Test from relay send", help="of the mail")
    parser.add_argument("--text", default="This is a test.\n", help="text body")
    parser.add_argument("--html", default="", help="HTML body, beside the text")
    parser.add_argument(
        "--attach", action="append", default=[], metavar="FILE", help="a file to attach"
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a further header, such as 'X-SES-MESSAGE-TAGS: a=b'",
    )
    parser.add_argument(
        "--usage-header",
        default="X-Relay-Usage",
        metavar="NAME",
        help="as usageHeader in the relay's settings",
    )


def run(options: argparse.Namespace) -> int:
    """Send; 0 when the relay took the mail for every recipient."""
    try:
        at = connection.place(options.server)
    except ValueError as error:
        print(f"--server {options.server}: {error}", file=sys.stderr)
        return 2
    try:
        content = _message(options).as_bytes()
    except (OSError, ValueError) as error:
        print(f"relay send: {error}", file=sys.stderr)
        return 2
    try:
        trust = connection.context(options)
        secret = _password() if options.user else ""
    except (OSError, password.UnusablePassword) as error:
        print(f"relay send: {error}", file=sys.stderr)
        return 2
    try:
        with connection.connected(
            at, tls=options.tls, timeout=options.timeout, trust=trust
        ) as smtp:
            if options.user:
                smtp.login(options.user, secret)
            return _submit(smtp, options, content)
    except smtplib.SMTPResponseException as error:
        print(connection.shown(error.smtp_code, error.smtp_error))
    except OSError as error:
        print(f"relay send: {connection.trouble(at, error)}", file=sys.stderr)
    return 1


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return password.given()


def _submit(smtp: smtplib.SMTP, options: argparse.Namespace, content: bytes) -> int:
    smtp.ehlo_or_helo_if_needed()
    code, text = smtp.mail(options.sender, [f"SIZE={len(content)}"])
    refused = 0
    if code == 250:
        for recipient in options.to:
            rcpt_code, rcpt_text = smtp.rcpt(recipient)
            if rcpt_code != 250:
                refused += 1
                print(f"{recipient}: {connection.shown(rcpt_code, rcpt_text)}")
        if refused == len(options.to):
            return 1
        code, text = smtp.data(content)
    print(connection.shown(code, text))
    return 0 if code == 250 and not refused else 1


def _message(options: argparse.Namespace) -> EmailMessage:
    # Lines as long as SMTP allows: fewer variables have to become encoded words.
    message = EmailMessage(policy=SMTP.clone(max_line_length=900))
    message["From"] = options.sender
    message["To"] = ", ".join(options.to)
    message["Subject"] = options.subject
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain="localhost")
    if options.usage:
        message[options.usage_header] = options.usage
    if given := variables.given(options):
        message["X-Relay-Variables"] = json.dumps(given)
    if options.locale:
        message["X-Relay-Locale"] = options.locale
    for header in options.header:
        name, colon, value = header.partition(":")
        if not colon:
            raise ValueError(f"--header {name!r}: not 'NAME: VALUE'")
        message[name.strip()] = value.strip()
    message.set_content(options.text)
    if options.html:
        message.add_alternative(options.html, subtype="html")
    for name in options.attach:
        path = Path(name)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        message.add_attachment(
            path.read_bytes(), maintype=main, subtype=sub, filename=path.name
        )
    return message
