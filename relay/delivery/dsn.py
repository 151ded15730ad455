"""Reports about mail that failed (RFC 3464), as further jobs; pure.

To the sender as it asked for them with RFC 3461: not about recipients with
NOTIFY=NEVER, with its ENVID and ORCPT, and with all of the mail where RET=FULL.

Nothing of a templated mail's body, subject or variables is in them: what a template
made may hold a one-time code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate

from relay.content.header import Field, fields_of, header_of
from relay.content.new_field import folded
from relay.delivery.guarded import held_back
from relay.model.guard import Guard
from relay.model.job import Failed, Job, Queued
from relay.model.mail import Mail, SendOptions
from relay.model.submission import Envelope, new_id

# Of a templated mail these alone: the others may be made of variables.
OF_A_TEMPLATE = frozenset({"date", "message-id", "to", "cc"})
MAX_ORIGINAL = 64_000  # bytes of the original in a report, its header or all of it
MAX_LINE = 998

_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Writes the reports that a failed mail asks for.

    `sender` is `reportFrom` (empty: none to senders), `operator` is `reportTo`;
    `author` stands in From where there is no `sender`. A report is tried for
    `lifetime` seconds. A guard is one for reports, too.
    """

    sender: str
    operator: str
    author: str
    hostname: str
    lifetime: float
    options: SendOptions
    guard: Guard | None = None

    def reports(
        self,
        job: Job,
        failed: Failed,
        *,
        now: float,
        unix: Callable[[float], float],
    ) -> tuple[Job, ...]:
        """One report for each who is owed one; none about a report.

        `unix` makes Unix time of the queue's, in which `now` is.
        """
        if job.report:
            return ()
        to: dict[str, Sequence[str]] = {}  # who gets a report -> about whom
        envelope = job.mail.envelope
        sender = envelope.sender
        if self.sender and sender and _DOMAIN.fullmatch(sender.rpartition("@")[2]):
            unreported = envelope.dsn.unreported
            if about := [one for one in envelope.recipients if one not in unreported]:
                to[sender] = about
        if self.operator:  # who is to know of all, whatever the sender wants to hear
            to[self.operator] = envelope.recipients
        arrived, written = formatdate(unix(job.accepted_at)), formatdate(unix(now))
        mails = (
            self._mail(
                address, self._content(address, about, job, failed, arrived, written)
            )
            for address, about in to.items()
        )
        return tuple(self._job(mail, now) for mail in mails if mail is not None)

    def _mail(self, to: str, content: bytes) -> Mail | None:
        """A report as a mail; None where the guard lets it not go."""
        # The null sender: a report about this one would be a loop.
        mail = Mail(Envelope(None, (to,)), content, self.options)
        if self.guard is None or self.guard.allows(to):
            return mail
        return held_back(mail, self.guard)

    def _job(self, mail: Mail, now: float) -> Job:
        return Job(
            id=new_id(),
            number=0,
            mail=mail,
            accepted_at=now,
            expires_at=now + self.lifetime,
            state=Queued(0, due=now),
            report=True,
        )

    def _content(
        self,
        to: str,
        about: Sequence[str],
        job: Job,
        failed: Failed,
        arrived: str,
        written: str,
    ) -> bytes:
        boundary = f"report-{job.id}"
        author = self.sender or self.author
        fields = (
            folded("From", f"Mail relay <{author}>"),
            folded("To", f"<{to}>"),
            folded("Subject", "Mail could not be delivered"),
            folded("Date", written),
            folded("Auto-Submitted", "auto-replied"),
            folded("MIME-Version", "1.0"),
            Field(
                "Content-Type",
                b"Content-Type: multipart/report; report-type=delivery-status;\r\n"
                b' boundary="' + boundary.encode() + b'"\r\n',
            ),
        )
        parts = (
            ("text/plain; charset=us-ascii", _for_people(about, job, failed, arrived)),
            (
                "message/delivery-status",
                self._for_machines(about, job, failed, arrived),
            ),
            _original(job.mail, whole=to != self.operator),
        )
        lines = [b"".join(field.raw for field in fields)]
        for kind, body in parts:
            head = f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode()
            lines.append(head + body)
        lines.append(f"--{boundary}--\r\n".encode())
        return b"\r\n".join(lines)

    def _for_machines(
        self, about: Sequence[str], job: Job, failed: Failed, arrived: str
    ) -> bytes:
        reply = failed.reply
        dsn = job.mail.envelope.dsn
        named = (
            f"Original-Envelope-Id: {dsn.envelope_id}\r\n" if dsn.envelope_id else ""
        )
        meant = {
            recipient: "Original-Recipient: {}; {}\r\n".format(*said.split(";", 1))
            for recipient, said in dsn.originals
        }
        # A mail that was given up failed for good, whatever was said last.
        status = f"5.{reply.detail}"
        groups = [
            f"{named}Reporting-MTA: dns; {self.hostname}\r\nArrival-Date: {arrived}\r\n"
        ]
        groups += [
            f"{meant.get(recipient, '')}"
            f"Final-Recipient: rfc822; {recipient}\r\n"
            "Action: failed\r\n"
            f"Status: {status}\r\n"
            f"Diagnostic-Code: smtp; {_wrapped(str(reply))}\r\n"
            for recipient in about
        ]
        return "\r\n".join(groups).encode("ascii", "replace")


def _for_people(about: Sequence[str], job: Job, failed: Failed, arrived: str) -> bytes:
    text = [
        "This mail could not be delivered, and is not tried again.",
        "",
        f"  Taken:    {arrived}, as {job.id}",
        *(f"  To:       {recipient}" for recipient in about),
        f"  Attempts: {failed.attempts}",
        f"  Answer:   {_wrapped(str(failed.reply))}",
    ]
    if failed.maybe_sent:
        text += ["", "The end of an attempt was not seen: it may have been sent."]
    return "\r\n".join([*text, ""]).encode("ascii", "replace")


def _wrapped(text: str) -> str:
    """A long reply on lines of its own, as a folded field's value."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) > 70:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return "\r\n    ".join([*lines, line])


def _original(mail: Mail, *, whole: bool) -> tuple[str, bytes]:
    """What failed, and which part of a report it is; `whole`: all of it, if asked."""
    if whole and mail.envelope.dsn.whole and _may_go_back(mail):
        return "message/rfc822", mail.content
    return "text/rfc822-headers", _header(mail)


def _may_go_back(mail: Mail) -> bool:
    """All of the mail may stand in a report, and SES would not break it there."""
    content = mail.content
    return (
        not mail.choice.template
        and 0 < len(content) <= MAX_ORIGINAL
        and content.isascii()
        and all(len(line) <= MAX_LINE for line in content.split(b"\r\n"))
    )


def _header(mail: Mail) -> bytes:
    """The header of what failed, in ASCII, as far as it may be shown."""
    kept = []
    size = 0
    for field in fields_of(header_of(mail.content)):
        if mail.choice.template and field.key not in OF_A_TEMPLATE:
            continue
        raw = bytes(byte if byte < 128 else ord("?") for byte in field.raw)
        size += len(raw)
        if size > MAX_ORIGINAL:
            break
        if all(len(line) <= MAX_LINE for line in raw.split(b"\r\n")):
            kept.append(raw)
    return b"".join(kept)
