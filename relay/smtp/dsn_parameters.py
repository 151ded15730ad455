"""The parameters of MAIL and RCPT that ask for reports (RFC 3461, section 4).

Read into what a report says; whether there is one is not known here.
"""

from __future__ import annotations

import re

ENVELOPE_ID = 100  # characters as sent (section 4.4)
ORIGINAL = 500  # characters as sent (section 4.2)

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*")
_ENCODED = re.compile(r"\+([0-9A-Fa-f]{2})")
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})


def envelope_id(value: str | None) -> str:
    """What ENVID says. Raises ValueError."""
    if value is None or len(value) > ENVELOPE_ID:
        raise ValueError("no envelope id, or a long one")
    return _text(value)


def whole(value: str | None) -> bool:
    """Whether RET wants all of the mail back. Raises ValueError."""
    match (value or "").upper():
        case "FULL":
            return True
        case "HDRS":
            return False
    raise ValueError("neither FULL nor HDRS")


def wants_failure(value: str | None) -> bool:
    """Whether NOTIFY wants a report about a failure. Raises ValueError."""
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return False
    if not _NOTIFY.issuperset(words) or len(set(words)) < len(words):
        raise ValueError("neither NEVER nor a list of events")
    return "FAILURE" in words


def original(value: str | None) -> str:
    """Whom ORCPT names, as a report repeats it. Raises ValueError."""
    kind, semicolon, address = (value or "").partition(";")
    if not (semicolon and address) or len(value or "") > ORIGINAL:
        raise ValueError("no address with its type, or a long one")
    if not kind.isascii() or not kind.replace("-", "").isalnum():
        raise ValueError("no type of address")
    if kind.lower() == "utf-8":
        # RFC 6533 section 3: what a report in ASCII repeats is this form of it.
        address.encode()  # raises UnicodeEncodeError, a ValueError: it was no UTF-8
        address = "".join(c if c < "\x7f" else f"\\x{{{ord(c):X}}}" for c in address)
    found = f"{kind};{_text(address)}"
    if len(found) > ORIGINAL:
        raise ValueError("a long address")
    return found


def _text(xtext: str) -> str:
    """Decode xtext; what is not printable ASCII would forge lines of a report."""
    if not _XTEXT.fullmatch(xtext):
        raise ValueError("not xtext")
    text = _ENCODED.sub(lambda found: chr(int(found[1], 16)), xtext)
    if not (text.isascii() and text.isprintable()):
        raise ValueError("a character that cannot be printed")
    return text
