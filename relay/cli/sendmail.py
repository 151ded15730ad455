"""`relay sendmail`: what programs find as /usr/sbin/sendmail; there is no queue.

The mail goes to the relay at once, and its reply becomes an exit code of sysexits.h.
PHP and cron wait for each, so what reads the settings is imported only for them.
"""

from __future__ import annotations

import argparse
import os
import pwd
import smtplib
import socket
import sys
from contextlib import closing, suppress
from io import BytesIO

from relay.cli import connection
from relay.cli.local_mail import local_mail, named, read
from relay.cli.sendmail_options import add, parsed
from relay.content import address

__all__ = ["add", "options", "run"]


class _Failed(Exception):  # noqa: N818 - the end of the command, said on stderr
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def options(
    words: list[str], *, formatter: type[argparse.HelpFormatter]
) -> argparse.Namespace:
    """Read the command line as sendmail does, and what runs it."""
    found = parsed(words, formatter=formatter)
    found.run = run
    return found


def run(options: argparse.Namespace) -> int:
    """Submit it: what sysexits.h has for what came of it."""
    try:
        at, tls = _listener(options)
        content = read(
            sys.stdin.buffer if sys.stdin else BytesIO(),
            dot_ends=not (options.dots or any(o.startswith("i") for o in options.set)),
        )
        here = f"{_user()}@{socket.gethostname()}"
        sender = _sender(options.sender, here)
        mail = local_mail(content, name=options.name, sender=sender or here)
        if options.sender is None and "@" in mail.author:
            sender = mail.author
        recipients = _recipients(options, content)
        with closing(_connected(options, at, tls)) as smtp:
            _log_in(smtp, options)
            code = _submitted(smtp, options, mail.content, sender, recipients)
            with suppress(OSError):  # whatever it says to that, it has the mail
                smtp.putcmd("QUIT")
            return code
    except _Failed as failed:
        _complain(str(failed))
        if failed.code == os.EX_TEMPFAIL and options.no_tempfail:
            return os.EX_UNAVAILABLE
        return failed.code
    except ValueError as error:  # an address that no command can have
        _complain(str(error))
        return os.EX_DATAERR


def _listener(options: argparse.Namespace) -> tuple[connection.Place, str]:
    """Where the relay listens, and by which TLS, as the options or settings say."""
    server, tls = options.server, options.tls
    file = options.config or os.environ.get("RELAY_CONFIG")
    # Not for a config.toml in the working directory, as cron's or PHP's may be any.
    if server is None and file:
        from relay.cli import settings

        chosen = settings.load(argparse.Namespace(config=file), capture=True)
        if chosen is None:
            raise _Failed(os.EX_CONFIG, f"{file}: cannot be used; --server needs none")
        first = chosen.listeners[0]
        server = connection.reachable(first.address)
        if tls == "off" and (first.tls == "implicit" or first.require_tls):
            tls = first.tls
    try:
        return connection.place(server or connection.SERVER), tls
    except ValueError as error:
        raise _Failed(os.EX_USAGE, f"--server {server}: {error}") from None


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())  # as containers have them


def _sender(given: str | None, here: str) -> str:
    """The sender of the envelope, "" for none; a name alone is of this machine."""
    if given is None:
        return here
    found = address.mailbox(given).address
    return f"{found}@{socket.gethostname()}" if found and "@" not in found else found


def _recipients(options: argparse.Namespace, content: bytes) -> list[str]:
    """Each once, in their order."""
    found: list[str] = []
    for given in options.recipients:
        found += address.addresses(given)
    if options.from_header:
        found += named(content)
    if not found:
        text = "no recipients: the mail has none in To, Cc or Bcc"
        raise _Failed(os.EX_DATAERR, text)
    if options.local_to:
        found = [one if "@" in one else options.local_to for one in found]
    return list(dict.fromkeys(found))


def _connected(
    options: argparse.Namespace, at: connection.Place, tls: str
) -> smtplib.SMTP:
    try:
        trust = None if tls == "off" else connection.context(options)
    except OSError as error:
        text = f"--ca-file {options.ca_file}: {error.strerror or error}"
        raise _Failed(os.EX_USAGE, text) from None
    try:
        return connection.connected(at, tls=tls, timeout=options.timeout, trust=trust)
    except smtplib.SMTPResponseException as error:
        raise _answered(at.name, error.smtp_code, error.smtp_error) from None
    except OSError as error:
        text = f"nothing was sent: {connection.trouble(at, error)}"
        raise _Failed(os.EX_TEMPFAIL, text) from None


def _log_in(smtp: smtplib.SMTP, options: argparse.Namespace) -> None:
    if not options.user:
        return
    try:
        with open(options.password_file or "/dev/null", "rb") as file:  # noqa: PTH123
            secret = file.read(4096).decode("ascii").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        text = f"--password-file {options.password_file}: {what}"
        raise _Failed(os.EX_USAGE, text) from None
    try:
        smtp.login(options.user, secret)
    except smtplib.SMTPResponseException as error:
        raise _answered("--user", error.smtp_code, error.smtp_error) from None
    except OSError as error:
        raise _Failed(os.EX_TEMPFAIL, f"nothing was sent: {error}") from None


def _submitted(
    smtp: smtplib.SMTP,
    options: argparse.Namespace,
    content: bytes,
    sender: str,
    recipients: list[str],
) -> int:
    """Send it to those whom the relay takes; none where one is to be tried again."""
    under_way = False
    try:
        smtp.ehlo_or_helo_if_needed()
        said = smtp.mail(sender, _of_mail(smtp, options, content, sender, recipients))
        if said[0] != 250:
            raise _answered("the mail", *said)
        reports = []
        if options.notify and smtp.has_extn("dsn"):
            reports.append(f"NOTIFY={options.notify.upper()}")
        refused = 0
        for recipient in recipients:
            said = smtp.rcpt(recipient, reports)
            if said[0] // 100 == 4:
                raise _answered(recipient, *said)
            if said[0] // 100 != 2:
                refused += 1
                _complain(f"{recipient}: {connection.shown(*said)}")
        if refused < len(recipients):
            under_way = True
            said = smtp.data(content)
            if said[0] != 250:
                raise _answered("the mail", *said)
    except smtplib.SMTPResponseException as error:
        raise _answered("the mail", error.smtp_code, error.smtp_error) from None
    except OSError as error:
        what = "nothing was sent"
        if under_way:
            what = "its reply was lost, so it may have been sent"
        raise _Failed(os.EX_TEMPFAIL, f"{what}: {error}") from None
    if refused:
        return os.EX_NOUSER  # the others get it
    if options.verbose:
        print(connection.shown(*said))
    return os.EX_OK


def _of_mail(
    smtp: smtplib.SMTP,
    options: argparse.Namespace,
    content: bytes,
    sender: str,
    recipients: list[str],
) -> list[str]:
    """The parameters of MAIL, as far as the server offers them."""
    found = []
    if smtp.has_extn("size"):
        found.append(f"SIZE={len(content)}")
    if not content.isascii() and smtp.has_extn("8bitmime"):
        found.append("BODY=8BITMIME")
    if not "".join([sender, *recipients]).isascii():
        found.append("SMTPUTF8")  # smtplib says so where the server has it not
    if smtp.has_extn("dsn"):
        if options.ret:
            found.append(f"RET={options.ret.upper()}")
        if options.envid:
            found.append(f"ENVID={_xtext(options.envid)}")
    return found


def _xtext(text: str) -> str:
    """RFC 3461 section 4."""
    coded = [
        chr(byte) if 33 <= byte <= 126 and byte not in b"+=" else f"+{byte:02X}"
        for byte in os.fsencode(text)
    ]
    return "".join(coded)


def _answered(what: str, code: int, text: bytes | str) -> _Failed:
    """What a reply that is no yes comes to."""
    end = os.EX_TEMPFAIL if code // 100 == 4 else os.EX_UNAVAILABLE
    return _Failed(end, f"{what}: {connection.shown(code, text)}")


def _complain(text: str) -> None:
    print(f"relay sendmail: {text}", file=sys.stderr)
