"""Which header of a mail tells what application wrote it, as a condition of a rule."""

from __future__ import annotations

import re
from collections.abc import Iterable

from relay.rules.shape import says_something, shape

# These name the program, and mostly its version.
_PRODUCT = frozenset(
    {"x-mailer", "x-library", "user-agent", "x-generator", "x-application"}
)
# An application's own, whose value says which part of it.
_VALUED = frozenset({"x-php-originating-script", "x-jenkins-result", "x-phpbb-origin"})
# Written by mail servers, filters and libraries, so by anybody.
_ANYBODY = frozenset(
    {
        *("x-priority", "x-msmail-priority", "x-mimeole", "x-originating-ip"),
        *("x-sender", "x-received", "x-originalarrivaltime", "x-loop", "x-uid"),
        *("x-auto-response-suppress", "x-entity-ref-id", "x-report-abuse"),
        *("x-feedback-id", "x-complaints-to", "x-smtpapi", "x-keywords", "x-status"),
        *("x-return-path", "x-delivered-to", "x-face", "x-mailing-list", "x-unsent"),
        *("x-accept-language", "x-get-message-sender-via", "x-to", "x-mozilla-status"),
    }
)
_ANYBODYS = (
    *("x-spam", "x-virus", "x-antivirus", "x-relay-", "x-ses-", "x-mc-", "x-mailgun-"),
    *("x-pm-", "x-original-", "x-ms-", "x-google-", "x-forwarded-", "x-envelope-"),
    *("x-content-", "x-dkim", "x-auth", "x-source", "x-proxy", "x-identity"),
    *("x-microsoft-", "x-exchange-", "x-amp-", "x-gm-", "x-rspamd", "x-amavis"),
)


# As the settings take it.
NAME = re.compile(r"[!-9;-~]{1,100}")


def sign_of(fields: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The name of a header and a glob that holds for it; None: nothing tells."""
    product: tuple[str, str] | None = None
    for name, value in fields:
        key = name.lower()
        if not NAME.fullmatch(name):
            continue
        if key in _PRODUCT:
            product = product or (name, _beginning(value))
        elif _is_its_own(key) and value.strip():
            return name, (shape(value) if key in _VALUED else "*")
    return product


def _is_its_own(key: str) -> bool:
    return (
        key.startswith("x-")
        and len(key) > len("x-")
        and key not in _ANYBODY
        and not key.startswith(_ANYBODYS)
    )


def _beginning(value: str) -> str:
    """The name of a program, without its version and what follows."""
    start, star, _ = shape(value).partition("*")
    if star and " " in start:
        start = start.rpartition(" ")[0] + " "
    return start + star if says_something(start) else "*"
