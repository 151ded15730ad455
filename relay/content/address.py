"""What counts as an address: RFC 5321 by email-validator, without asking the DNS.

The library is imported when an address needs it, since that would hold up the start;
and its list of special-use domains is emptied, for which it has no argument:
`root@localhost` and `app@svc.local` are what local apps send to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import NamedTuple

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_SENDER = re.compile(
    rf"{_LOCAL}(?:@(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[A-Za-z0-9:.]+\]))?"
)
# The address is what stands in the last angle brackets; all before it is the name.
_ANGLE = re.compile(r"(?P<name>.*)<(?P<address>[^<>]*)>\s*", re.DOTALL)
# A plain mailbox, which nearly all are: the library takes much longer to say so.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+){0,20}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,60}[A-Za-z0-9])?\.){1,20}[A-Za-z]{2,20}"
)
_IN_ASCII = re.compile(
    r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*
        |"(?:[ !\#-\[\]-~]|\\[ -~])*")
        @[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?
        (?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*""",
    re.VERBOSE,
)
# What hides commas and brackets from a search for the first address of a list: a
# quoted string, which has no end unless it is closed, and a comment's beginning.
_HIDING = re.compile(r'(?P<quoted>"(?>(?:[^"\\]++|\\.)*)(?:"|\\?\Z))|\(', re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_IN_ANGLES = re.compile(r"<\s*+([^<>\s]++)\s*+>")
# What stands between the commas of a list, a local part in quotes with its own.
_PIECE = re.compile(r'(?>(?:"(?>(?:[^"\\]|\\.)*)"|[^,;])+)', re.DOTALL)
_GROUP = re.compile(r"\A[^<>@:\[]*+:")
_NO_BLANKS = re.compile(r'(?>(?:"(?>(?:[^"\\]|\\.)*)"|[^\s<>"])+)')
# RFC 5321 section 4.5.3.1: 64 octets before the @, 255 behind it.
MAX_ADDRESS = 320


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
    if len(address) > MAX_ADDRESS:  # before the library looks: it takes its time
        raise ValueError(f"longer than {MAX_ADDRESS} characters")
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
    if len(address) > MAX_ADDRESS:
        raise ValueError(f"longer than {MAX_ADDRESS} characters")
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


class Mailbox(NamedTuple):
    """`name` is free text without quotes, "" for none."""

    name: str
    address: str


def mailbox(text: str) -> Mailbox:
    """Read `Acme <a@b.example>`, `<a@b.example>`, or the address alone.

    The name may hold commas, dots and letters of any script, in quotes or not:
    it is not RFC 5322's phrase but what an operator writes.
    """
    match = _ANGLE.fullmatch(text.strip())
    if match is None:
        return Mailbox("", text.strip())
    name = match["name"].strip()
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return Mailbox(name, match["address"].strip())


def is_sender(address: str) -> bool:
    """Tell whether MAIL may name `address`: a mailbox, or a local part alone.

    Any domain will do, because legacy apps say whatever their host is called.
    """
    return len(address) <= MAX_ADDRESS and _SENDER.fullmatch(address) is not None


def is_in_ascii(address: str) -> bool:
    """Tell whether `address` is one that a header field can hold as it is."""
    return len(address) <= MAX_ADDRESS and _IN_ASCII.fullmatch(address) is not None


def first_address(value: str) -> str:
    """The first address of a decoded list of mailboxes, "" where there is none."""
    bare = _without_names(value)
    found = _IN_ANGLES.search(bare)
    return found[1] if found else bare.partition(",")[0].strip()


def addresses(value: str) -> list[str]:
    """All addresses of a list of mailboxes, as they are written; groups are theirs.

    A local part alone is one as well. Raises ValueError where something is none.
    """
    found = []
    for piece in _PIECE.findall(_without_names(value)):
        # `friends: ann@example.net, bob@example.net;`
        one = _GROUP.sub("", piece).strip()
        if (angles := _IN_ANGLES.search(one)) is not None:
            one = angles[1]
        if not one:
            continue
        if not _NO_BLANKS.fullmatch(one):
            raise ValueError(f"{one!r} is no address")
        found.append(one)
    return found


def _without_names(value: str) -> str:
    """A list of mailboxes without its comments and its names in quotes."""
    pieces = []
    position = 0
    while (match := _HIDING.search(value, position)) is not None:
        pieces.append(value[position : match.start()])
        position = match.end()
        if match["quoted"] is None:
            position = _end_of_comment(value, match.start())
            pieces.append(" ")
        else:  # a local part may be in quotes, too
            pieces.append(match[0] if value.startswith("@", position) else " ")
    return "".join((*pieces, value[position:]))


def first_mailbox(value: str) -> Mailbox:
    """The first mailbox of a list of them, its name as it stands but for quotes.

    An encoded word in the name is still one: what it holds is no structure.
    """
    address = first_address(value)
    name: list[str] = []
    comment = ""
    position = 0
    while True:
        match = _HIDING.search(value, position)
        outside = value[position : match.start() if match else len(value)]
        plain = re.split("[<,]", outside, maxsplit=1)
        name.append(plain[0])
        if match is None or len(plain) > 1:
            break
        position = match.end()
        if match["quoted"] is None:
            position = _end_of_comment(value, match.start())
            comment = comment or value[match.start() + 1 : position].removesuffix(")")
        else:
            name.append(re.sub(r"\\(.)", r"\1", match[0][1:].removesuffix('"')))
    text = " ".join("".join(name).split())
    # `ann@example.net (Ann)`, as it was written long ago.
    return Mailbox(comment.strip() if text == address else text, address)


def author(value: str, decode: Callable[[str], str]) -> Mailbox:
    """The first mailbox of a From field, as the header has it.

    Looked for before it is decoded: what an encoded word holds is a name, whatever it
    looks like. But some encode the whole field, which `decode` reads then.
    """
    found = first_mailbox(value)
    return found if "@" in found.address else first_mailbox(decode(value))


def _end_of_comment(value: str, start: int) -> int:
    """Where the comment ends that begins at `start`; they nest (RFC 5322)."""
    depth = 0
    for match in _IN_COMMENT.finditer(value, start):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if not depth:
                return match.end()
    return len(value)


def ascii_mailbox(found: Mailbox) -> Mailbox:
    """Make A-labels of an IDN domain; what has none stays, and is refused later."""
    if len(found.address) > MAX_ADDRESS:
        return found
    local, _, domain = found.address.rpartition("@")
    # IDNA 2003, which the codec does, maps these to other names than 2008 does.
    if domain.isascii() or not local.isascii() or re.search("[ßς\u200c\u200d]", domain):
        return found
    try:
        return Mailbox(found.name, f"{local}@{domain.encode('idna').decode()}")
    except UnicodeError:
        return found
