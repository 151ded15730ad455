"""What counts as an address: RFC 5321 by email-validator, without asking the DNS.

The library is imported when an address needs it, since that takes a twentieth of a
second of the start; and its list of special-use domains is emptied, for which it has
no argument: `root@localhost` and `app@svc.local` are what local apps send to.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType

# A plain mailbox, which nearly all are: the library takes 30 times as long.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+){0,20}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,60}[A-Za-z0-9])?\.){1,20}[A-Za-z]{2,20}"
)


@cache
def _library() -> ModuleType:
    import email_validator

    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    return email_validator


class NonAsciiLocalPart(ValueError):  # noqa: N818 - a statement about the address
    """SES does not have SMTPUTF8."""


def check(address: str) -> str:
    """The address as written, an IDN domain as A-labels.

    Raises ValueError with a plain text, NonAsciiLocalPart for such.
    """
    plain = len(address) < 200 and _PLAIN.fullmatch(address) and "--" not in address
    if plain and address.index("@") <= 64:
        return address
    address = with_ascii_domain(address)
    email_validator = _library()
    try:
        email_validator.validate_email(
            address,
            check_deliverability=False,
            allow_quoted_local=True,
            allow_smtputf8=False,
            globally_deliverable=False,
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return address


def with_ascii_domain(address: str) -> str:
    """Make A-labels of an IDN domain; all else stays as it is written."""
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    if not local.isascii() or not at:
        raise NonAsciiLocalPart("the local part has characters outside ASCII")
    email_validator = _library()
    try:
        validated = email_validator.validate_email(
            f"x@{domain}", check_deliverability=False, globally_deliverable=False
        )
    except (email_validator.EmailNotValidError, UnicodeError) as error:
        raise ValueError(str(error)) from error
    return f"{local}@{validated.ascii_domain}"
