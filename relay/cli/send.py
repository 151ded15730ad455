"""`relay send`: a test mail over real SMTP."""

from __future__ import annotations

import argparse
import getpass
import json
import mimetypes
import smtplib
import ssl
import sys
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path

from relay.cli import duration, password, variables


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
        default="localhost:1025",
        metavar="HOST:PORT",
        help="the relay's listener",
    )
    parser.add_argument(
        "--tls",
        choices=("off", "starttls", "implicit"),
        default="off",
        help="as the listener has it",
    )
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        help="certificates to trust beside the system's, such as the relay's own",
    )
    parser.add_argument(
        "--no-verify", action="store_true", help="with --tls: trust any certificate"
    )
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
    parser.add_argument(
        "--timeout",
        type=duration.seconds,
        default=60,
        metavar="TIME",
        help="how long to wait for the relay, such as 30s",
    )


def run(options: argparse.Namespace) -> int:
    """Send; 0 when the relay took the mail for every recipient."""
    host, colon, port = options.server.rpartition(":")
    if not colon or not port.isdecimal():
        print(f"--server {options.server}: not HOST:PORT", file=sys.stderr)
        return 2
    try:
        content = _message(options).as_bytes()
    except (OSError, ValueError) as error:
        print(f"relay send: {error}", file=sys.stderr)
        return 2
    try:
        context = _context(options)
        secret = _password() if options.user else ""
    except (OSError, password.UnusablePassword) as error:
        print(f"relay send: {error}", file=sys.stderr)
        return 2
    try:
        with _connected(options, host.strip("[]"), int(port), context) as smtp:
            if options.user:
                smtp.login(options.user, secret)
            return _submit(smtp, options, content)
    except smtplib.SMTPResponseException as error:
        print(_shown(error.smtp_code, error.smtp_error))
    except ssl.SSLError as error:
        print(
            f"relay send: {options.server}: {error.strerror or error}; --ca-file names "
            "a certificate to trust, --no-verify trusts any",
            file=sys.stderr,
        )
    except smtplib.SMTPException as error:
        print(f"relay send: {options.server}: {error}", file=sys.stderr)
    except OSError as error:
        print(
            f"relay send: {options.server}: {error.strerror or error}; "
            "is the relay running there?",
            file=sys.stderr,
        )
    return 1


def _context(options: argparse.Namespace) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: no older one
    if options.ca_file:
        context.load_verify_locations(options.ca_file)
    if options.no_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return password.given()


def _connected(
    options: argparse.Namespace, host: str, port: int, context: ssl.SSLContext
) -> smtplib.SMTP:
    if options.tls == "implicit":
        return smtplib.SMTP_SSL(host, port, timeout=options.timeout, context=context)
    smtp = smtplib.SMTP(host, port, timeout=options.timeout)
    if options.tls == "starttls":
        try:
            smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
    return smtp


def _submit(smtp: smtplib.SMTP, options: argparse.Namespace, content: bytes) -> int:
    smtp.ehlo_or_helo_if_needed()
    code, text = smtp.mail(options.sender, [f"SIZE={len(content)}"])
    refused = 0
    if code == 250:
        for recipient in options.to:
            rcpt_code, rcpt_text = smtp.rcpt(recipient)
            if rcpt_code != 250:
                refused += 1
                print(f"{recipient}: {_shown(rcpt_code, rcpt_text)}")
        if refused == len(options.to):
            return 1
        code, text = smtp.data(content)
    print(_shown(code, text))
    return 0 if code == 250 and not refused else 1


def _shown(code: int, text: bytes | str) -> str:
    said = text if isinstance(text, str) else text.decode("ascii", "replace")
    return f"{code} {said}"


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
