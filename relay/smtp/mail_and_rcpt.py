"""The arguments of MAIL and RCPT: a path and its parameters (RFC 5321 section 4.1.2).

Read, and checked as far as they can be without the dialog that they stand in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.content import address
from relay.model.guard import Guard
from relay.model.replies import GUARDED, NO_ROOM
from relay.model.reply import Reply
from relay.smtp import dsn_parameters, replies
from relay.smtp.memory import Memory

# What nearly all clients send, looked for first: all the forms take far longer.
_PLAIN = re.compile(r"<([A-Za-z0-9_.+=-]+@[A-Za-z0-9.-]+)>")
# The forms, each in linear time: nothing that was read is read in another way.
_QUOTED = r'"(?>(?:[^"\\]++|\\.)*)"'
_ANGLE = rf"""
    <\s*+
    (?>(?: @[^:<>\s]++ : )?)                       # a source route, ignored
    ( (?>(?: {_QUOTED} )?) [^<>"]*+ )
    >"""
# A display name before it, as scanners and cameras send: taken as Postfix takes it.
_NAMED = rf"""(?>(?: {_QUOTED} | [^<>"]++ )+) (?<=[\s"]) {_ANGLE}"""
_FORMS = tuple(
    re.compile(form, re.VERBOSE | re.DOTALL)
    for form in (
        _ANGLE,
        rf"<\s*+ {_NAMED} \s*+ >",
        _NAMED,
        rf"""( (?>(?: {_QUOTED} )?) [^\s<>"]++ )""",
    )
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\U0010ffff]+))?")

_BAD_PATH = {"FROM:": replies.BAD_SENDER, "TO:": replies.BAD_RECIPIENT}


class Unfit(Exception):  # noqa: N818 - a statement about the argument
    """The argument cannot be taken; the client is told `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Path(NamedTuple):
    """`address` as the client wrote it, "" for the null path; parameters upper-case."""

    address: str
    parameters: dict[str, str | None]


class OfMail(NamedTuple):
    """What the parameters of MAIL say."""

    size: int = 0
    envelope_id: str = ""
    whole: bool = False  # is to come back


class OfRcpt(NamedTuple):
    """What the parameters of RCPT say."""

    failure: bool = True  # is to be reported
    original: str = ""


def parse(argument: str, keyword: str) -> Path:
    """Read `FROM:<path> parameters`, and what old devices write instead.

    Blanks around the colon or no colon, no brackets, a name before the address, and
    the address in single quotes will do. Raises Unfit, also where a parameter is
    given twice.
    """
    word = keyword[:-1]
    if argument[: len(word)].upper() != word:
        raise Unfit(_BAD_PATH[keyword])
    rest = argument[len(word) :].strip()
    if rest.startswith(":"):
        rest = rest[1:].lstrip()
    elif not rest.startswith("<"):
        raise Unfit(_BAD_PATH[keyword])
    if match := _PLAIN.match(rest):
        mailbox = match[1]
    elif match := _in_another_form(rest):
        mailbox = match[1].strip()
        if len(mailbox) > 2 and mailbox[0] == mailbox[-1] == "'":
            mailbox = mailbox[1:-1].strip()
    else:
        raise Unfit(_BAD_PATH[keyword])
    words = rest[match.end() :]
    if not words:
        return Path(mailbox, {})
    if words[0] not in " \t":
        raise Unfit(_BAD_PATH[keyword])
    return Path(mailbox, _parameters(words))


def _in_another_form(rest: str) -> re.Match[str] | None:
    return next((match for form in _FORMS if (match := form.match(rest))), None)


def _parameters(words: str) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for word in words.replace("\t", " ").split(" "):
        if not word:
            continue
        found = _PARAMETER.fullmatch(word)
        if found is None or (name := found[1].upper()) in parameters:
            raise Unfit(replies.BAD_PARAMETER)
        if not word.isascii() and name != "ORCPT":  # RFC 6533 section 3
            raise Unfit(replies.BAD_PARAMETER)
        parameters[name] = found[2]
    return parameters


NOTHING = OfMail()


def of_mail(
    parameters: dict[str, str | None], *, extended: bool, limit: int, memory: Memory
) -> OfMail:
    """What the parameters of MAIL say. Raises Unfit.

    Taken are just those that EHLO offers, and AUTH; none without EHLO.
    """
    if not parameters:
        return NOTHING
    if not extended:
        raise Unfit(replies.UNKNOWN_PARAMETER)
    size, envelope_id, whole = 0, "", False
    for name, value in parameters.items():
        try:
            match name:
                case "SIZE":
                    size = _size(value)
                    if size > limit:
                        raise Unfit(replies.TOO_LARGE)
                    if not memory.has_room(size):
                        raise Unfit(NO_ROOM)
                case "BODY":
                    if value is None or value.upper() not in ("7BIT", "8BITMIME"):
                        raise Unfit(replies.BAD_PARAMETER)
                case "AUTH":  # RFC 4954 section 5: taken, and not believed
                    if value is None:
                        raise Unfit(replies.BAD_PARAMETER)
                case "SMTPUTF8":  # RFC 6531 section 3.4: has no value
                    if value is not None:
                        raise Unfit(replies.BAD_PARAMETER)
                case "ENVID":
                    envelope_id = dsn_parameters.envelope_id(value)
                case "RET":
                    whole = dsn_parameters.whole(value)
                case _:
                    raise Unfit(replies.UNKNOWN_PARAMETER)
        except ValueError:
            raise Unfit(replies.BAD_PARAMETER) from None
    return OfMail(size, envelope_id, whole)


def _size(value: str | None) -> int:
    if not (value and value.isascii() and value.isdecimal() and len(value) <= 20):
        raise ValueError("no size")
    return int(value)


def of_rcpt(parameters: dict[str, str | None]) -> OfRcpt:
    """What the parameters of RCPT say. Raises Unfit."""
    failure, original = True, ""
    for name, value in parameters.items():
        try:
            match name:
                case "NOTIFY":
                    failure = dsn_parameters.wants_failure(value)
                case "ORCPT":
                    original = dsn_parameters.original(value)
                case _:
                    raise Unfit(replies.UNKNOWN_PARAMETER)
        except ValueError:
            raise Unfit(replies.BAD_PARAMETER) from None
    return OfRcpt(failure, original)


def sender(given: str) -> str:
    """The address of MAIL's path, its domain in ASCII. Raises Unfit."""
    if not given:
        return ""  # the null sender
    if not given.isascii():
        try:
            given = address.with_ascii_domain(given)
        except address.NonAsciiLocalPart:
            raise Unfit(replies.NO_SMTPUTF8) from None
        except ValueError:
            raise Unfit(replies.BAD_SENDER) from None
    if not address.is_sender(given):
        return _with_final_dot(given)
    return given


def _with_final_dot(given: str) -> str:
    """`ilo.@a.example`, which servers' consoles say: the same in quotes is legal."""
    local, _, domain = given.rpartition("@")
    if not local.endswith(".") or not address.is_sender(f"{local[:-1]}@{domain}"):
        raise Unfit(replies.BAD_SENDER)
    return f'"{local}"@{domain}'


def named(
    argument: str, *, extended: bool, guard: Guard | None
) -> tuple[str, OfRcpt | None]:
    """The recipient that RCPT names, and what it asks for. Raises Unfit."""
    given = parse(argument, "TO:")
    asked = None
    if given.parameters:
        if not extended:
            raise Unfit(replies.UNKNOWN_PARAMETER)
        asked = of_rcpt(given.parameters)
    return recipient(given.address, guard), asked


def recipient(given: str, guard: Guard | None = None) -> str:
    """The address of RCPT's path, as mail can be sent to it. Raises Unfit."""
    try:
        found = address.check(given)
    except address.NonAsciiLocalPart:
        raise Unfit(replies.NO_SMTPUTF8) from None
    except ValueError:
        raise Unfit(replies.BAD_RECIPIENT) from None
    if guard is not None and not guard.takes(found):
        raise Unfit(GUARDED)
    return found
