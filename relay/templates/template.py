"""Templates: found by usage and locale, checked at start, applied to a mail.

Their syntax, which is Logto's, is `placeholder`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from relay.content import html_to_text as plain
from relay.content.header import Field, Message
from relay.content.mailbox import Mailbox, mailbox
from relay.content.new_field import address_field, one_line
from relay.model.reply import Refused, Reply, printable
from relay.model.submission import Envelope
from relay.templates.compose import Original, compose
from relay.templates.placeholder import (
    Problems,
    Text,
    Values,
    Variable,
    compile_text,
)
from relay.templates.prepared_part import Stencil

STANDARD = ("Register", "SignIn", "ForgotPassword", "Generic")

_ADDRESS = re.compile(
    r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*
        |"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*")
        @[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?
        (?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*""",
    re.VERBOSE,
)
# What hides commas and brackets from a search for the first address of a list.
_NO_ADDRESS = re.compile(r'"(?:[^"\\]|\\.)*"(?!@)|\([^()]*\)')
_IN_ANGLES = re.compile(r"<\s*([^<>\s]+)\s*>")


class TemplateError(Exception):
    """The templates cannot be used; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Source:
    """One template as the settings have it; `place` is for messages about it."""

    usage_type: str
    subject: str
    content: str
    content_type: str = "text/html"
    text: str = ""
    locale: str = ""
    send_from: str = ""
    reply_to: str = ""
    valid_for: float | None = None
    supersedes: bool = False
    attachments: str = "keep"
    place: str = ""


def _look_at_settings(source: Source, problems: Problems) -> None:
    place = problems.place
    if not source.usage_type:
        problems.errors.append(f"{place}: usageType is empty; name the usage")
    for name, value, allowed in (
        ("contentType", source.content_type, ("text/html", "text/plain")),
        ("attachments", source.attachments, ("keep", "drop")),
    ):
        if value not in allowed:
            problems.errors.append(
                f"{place}: {name} = {value!r}: must be {' or '.join(allowed)}"
            )


def _text_of(html: Text) -> Text:
    """The text of an HTML whose variables are still in it.

    They go through the conversion as marks, so that braces written as entities do
    not become variables. What wraps the mail's HTML wraps its text.
    """
    # A noncharacter that the template does not hold: it stands for nothing else.
    spare = (chr(code) for code in range(0xFDD0, 0xFDF0))
    mark = next((one for one in spare if one not in html.fixed), "\ufdd0")
    variables = [variable for _, variable, _ in html.places]
    numbers = iter(range(len(variables)))
    marked = "".join(
        piece if isinstance(piece, str) else f"{mark}{next(numbers)}{mark}"
        for piece in html.pieces
    )
    pieces: list[str | Variable] = []
    for index, part in enumerate(plain.from_html(marked).split(mark)):
        if index % 2 and part.isdecimal() and int(part) < len(variables):
            one = variables[int(part)]
            if one.name == "message.html":
                one = Variable("message.text", one.raw, one.whole)
            pieces.append(one)
        else:
            pieces.append(part)
    return Text(tuple(piece for piece in pieces if piece != ""))


def _same(text: str) -> str:
    return text


def _escaped(text: str) -> str:
    # Codes and most names hold nothing to escape: a quarter of the time then.
    return text if text.isalnum() else escape(text)


def _clean(text: str) -> str:
    """A value inside a mailbox: it ends neither the name nor the address."""
    return re.sub(r"[<>\"]", "", one_line(text))


class Template:
    """One compiled template."""

    def __init__(self, source: Source, *, email_address: str, missing: str) -> None:
        self.source = source
        self.usage = source.usage_type
        self.locale = source.locale
        self.valid_for = source.valid_for
        self.supersedes = source.supersedes
        problems = Problems(source.place or f"template {source.usage_type}")
        _look_at_settings(source, problems)
        self._missing = missing
        self._attachments = source.attachments == "keep"
        self._email_address = _with_ascii_domain(mailbox(email_address))
        ours = self._email_address
        self._from: Field | None = None
        if ours.address and ours.address.isascii():
            self._from = address_field("From", ours)
        elif ours.address:
            problems.errors.append(
                "ses.emailAddress: not an address in ASCII; SES takes no other"
            )
        self._subject = compile_text(source.subject, "subject", problems)
        self._send_from = compile_text(source.send_from, "sendFrom", problems)
        self._reply_to = compile_text(source.reply_to, "replyTo", problems)
        self._has_address = any(letter in self._send_from.fixed for letter in "@<")
        content = compile_text(source.content, "content", problems)
        self._html = content if source.content_type == "text/html" else None
        if self._html is None:
            self._text = content
        elif source.text:
            self._text = compile_text(source.text, "text", problems)
        else:
            # Made once, with the variables still in it: what they bring is text.
            self._text = _text_of(content)
        self._text_part = Stencil(self._text, "plain")
        self._html_part = None if self._html is None else Stencil(self._html, "html")
        self._wraps_html = self._html is not None and self._html.uses("message.html")
        self.errors, self.warnings = problems.errors, problems.warnings

    @property
    def names_sender(self) -> bool:
        """Whether its mail has a From of its own, whatever the original says."""
        return self._has_address or bool(self._email_address.address)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its placeholders, each once, in the order of their places."""
        texts = (self._subject, self._html, self._text, self._send_from, self._reply_to)
        return tuple(
            dict.fromkeys(
                variable.name
                for text in texts
                if text is not None
                for _, variable, _ in text.places
            )
        )

    def apply(
        self, message: Message, envelope: Envelope, variables: Mapping[str, Any]
    ) -> bytes:
        """The content to send. Raises Refused, naming variables but never values."""
        original = Original(message, envelope)
        values = Values(variables, original, self._missing)
        subject = values.fill(self._subject, one_line)
        send_from = reply_to = ""
        if self._send_from.pieces:
            send_from = one_line(values.fill(self._send_from, _clean)).strip()
        if self._reply_to.pieces:
            reply_to = one_line(values.fill(self._reply_to, _clean)).strip()
        text = self._text_part.fill(values, _same)
        html = None
        if self._html_part is not None:
            html = self._html_part.fill(values, _escaped, raw=_same)
        if values.not_given:
            names = printable(", ".join(values.not_given))[:300]
            raise Refused(Reply(550, "6.0", f"Variables not given: {names}"))
        sender = self._sender(send_from, original)
        if sender is None and "from" not in original.first and not envelope.sender:
            raise Refused(
                Reply(550, "6.0", "No From header, and a null sender to make one of")
            )
        return compose(
            original,
            subject=subject,
            sender=sender,
            reply_to=_reply_to(reply_to) if reply_to else None,
            text=text,
            html=html,
            attachments=original.attachments if self._attachments else (),
            related=original.related if self._wraps_html else (),
        )

    def _sender(self, send_from: str, original: Original) -> Field | None:
        """From by `sendFrom`, else by `emailAddress`; None: the original's stays."""
        if not send_from:
            return self._from
        ours = self._email_address
        if self._has_address:
            found = _with_ascii_domain(mailbox(send_from))
            if not _ADDRESS.fullmatch(found.address):
                raise Refused(_wrong("sendFrom"))
            return address_field("From", found)
        address = ours.address or _first_address(original)
        if not _ADDRESS.fullmatch(address):
            raise Refused(_wrong("sendFrom"))
        return address_field("From", Mailbox(send_from, address))


def _first_address(original: Original) -> str:
    """The first address of the original's From, else the envelope's sender."""
    bare = _NO_ADDRESS.sub(" ", original.header("from"))
    found = _IN_ANGLES.search(bare)
    address = found[1] if found else bare.partition(",")[0].strip()
    return address or original.envelope.sender or ""


def _with_ascii_domain(found: Mailbox) -> Mailbox:
    """Make A-labels of an IDN domain; what has none stays, and is refused later."""
    local, _, domain = found.address.rpartition("@")
    # IDNA 2003, which the codec does, maps these to other names than 2008 does.
    if domain.isascii() or not local.isascii() or re.search("[ßς\u200c\u200d]", domain):
        return found
    try:
        return Mailbox(found.name, f"{local}@{domain.encode('idna').decode()}")
    except UnicodeError:
        return found


def _reply_to(text: str) -> Field:
    found = _with_ascii_domain(mailbox(text))
    if not _ADDRESS.fullmatch(found.address):
        raise Refused(_wrong("replyTo"))
    return address_field("Reply-To", found)


def _wrong(setting: str) -> Reply:
    return Reply(550, "6.0", f"The template's {setting} makes no usable address")


class Templates:
    """All templates, by usage and locale."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        email_address: str = "",
        missing: str = "reject",
    ) -> None:
        self._by_usage: dict[str, dict[str, Template]] = {}
        errors: list[str] = []
        warnings: list[str] = []
        for source in sources:
            template = Template(source, email_address=email_address, missing=missing)
            errors += template.errors
            warnings += template.warnings
            locales = self._by_usage.setdefault(source.usage_type, {})
            key = _tag(source.locale)
            if key in locales:
                locale = f", locale {source.locale}" if source.locale else ""
                errors.append(
                    f"{source.place}: a second template for usage "
                    f"{source.usage_type}{locale}; keep one"
                )
            locales[key] = template
        if errors:
            raise TemplateError("\n".join(errors))
        for usage, locales in self._by_usage.items():
            if "" not in locales:
                warnings.append(
                    f"usage {usage}: all of its templates have a locale; mail in any "
                    "other language falls back to Generic, or is refused"
                )
        absent = [usage for usage in STANDARD if usage not in self._by_usage]
        if absent:
            warnings.append(f"no template for {', '.join(absent)}")
        self.warnings = tuple(warnings)
        self.usages = tuple(self._by_usage)

    @property
    def all(self) -> tuple[Template, ...]:
        """Every template, by usage in the order of the settings."""
        return tuple(
            one for locales in self._by_usage.values() for one in locales.values()
        )

    def choose(self, usage: str, locale: str) -> Template:
        """The usage's template in the best locale, else Generic's; or Refused."""
        for name in (usage, "Generic"):
            if (found := self._lookup(name, locale)) is not None:
                return found
        known = ", ".join(self.usages) or "none"
        text = f"No template for usage {usage[:100]}; known: {known}"
        raise Refused(Reply(550, "6.0", printable(text)[:400]))

    def _lookup(self, usage: str, locale: str) -> Template | None:
        """RFC 4647 section 3.4: the tag, then without its last part, then without."""
        locales = self._by_usage.get(usage)
        if not locales:
            return None
        if not locale:
            return locales.get("")
        tag = _tag(locale)[:200]
        while tag:
            if tag in locales:
                return locales[tag]
            tag = tag.rpartition("-")[0]
            if len(tag) > 1 and tag[-2:-1] == "-":  # a singleton goes with what follows
                tag = tag[:-2]
        return locales.get("")


def _tag(locale: str) -> str:
    return locale.strip().replace("_", "-").lower()
