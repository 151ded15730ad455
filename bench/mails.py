"""The mails that are sent, and the template that some of them ask for."""

from __future__ import annotations

import json
from pathlib import Path

from bench.cases import LARGE, Case

USAGE = "SignIn"
SUBJECT = "{{code}} is your code for {{app}}"
VARIABLES = {
    "code": "123456",
    "app": "Acme",
    "name": "Ann Example",
    "link": "https://acme.example/sign-in?token=0123456789abcdef&next=%2Fhome",
}
_ROW = (
    '<tr><td style="padding:8px 24px;font:14px/20px Arial,sans-serif;color:#333333">'
    "{}</td></tr>\n"
)


def template() -> str:
    """About 2 kB of HTML with four variables, as a designer's tool writes it."""
    rows = [
        "Hello {{name}},",
        "your code for {{app}} is",
        '<b style="font-size:28px;letter-spacing:6px">{{code}}</b>',
        'or sign in with one click: <a href="{{link}}">Sign in to {{app}}</a>.',
        *(
            "The code is good for ten minutes. If it was not you who asked for it, "
            "somebody may have typed your address by mistake, and nothing happens. "
            f"({number})"
            for number in range(6)
        ),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<title>Your code</title></head>\n"
        '<body style="margin:0;background:#f5f5f5"><table role="presentation" '
        'width="100%">\n'
        + "".join(_ROW.format(row) for row in rows)
        + "</table></body></html>\n"
    )


def mail(size: int, *, templated: bool = False) -> bytes:
    """A mail of `size` bytes as a legacy app sends it; 7-bit, CRLF, short lines."""
    head = [
        "From: Acme <app@acme.example>",
        "To: Someone <someone@example.net>",
        "Subject: Your weekly report",
        "Date: Mon, 02 Feb 2026 10:00:00 +0000",
        "Message-ID: <bench.0001@app.acme.example>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        "X-Mailer: bench",
    ]
    if templated:
        head += [
            f"X-Relay-Usage: {USAGE}",
            f"X-Relay-Variables: {json.dumps(VARIABLES)}",
        ]
    start = "".join(f"{line}\r\n" for line in [*head, ""]).encode()
    line = b"The quick brown fox jumps over the lazy dog, and the dog sleeps on.\r\n"
    body = line * ((size - len(start)) // len(line) + 1)
    return start + body[: size - len(start) - 2] + b"\r\n"


def write_mails(case: Case, directory: Path) -> tuple[Path, Path | None]:
    """Write what `case` sends; give its file, and that of its large mail."""
    small = directory / "mail.eml"
    small.write_bytes(mail(case.size, templated=case.templated))
    if not case.large_sessions:
        return small, None
    large = directory / "large.eml"
    large.write_bytes(mail(LARGE))
    return small, large
