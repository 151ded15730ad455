"""What is kept of long values in memory, and how many bytes that takes.

The bytes are what CPython needs, rather too many than too few; objects that live
elsewhere anyway, such as a template's names, are counted all the same.
"""

from __future__ import annotations

from dataclasses import replace

from relay.model.mail import Choice, Mail, SendOptions
from relay.model.slip import Slip

MAX_TEXT = 300  # characters of a name; an address has at most 320
MAX_TAGS = 50
MAX_VARIABLES = 100
MAX_WARNINGS = 50

ENTRY_BYTES = 1200  # without what is counted below
ATTEMPT_BYTES = 280
CALL_BYTES = 250
TEXT_BYTES = 64  # a string's own, with its place in what it stands in
TAG_BYTES = 80
MAIL_BYTES = 400


def texts(*some: str) -> int:
    """The bytes of texts."""
    whole = "".join(some)
    if whole.isascii():
        return TEXT_BYTES * len(some) + len(whole)
    # A single emoji makes four bytes of each character.
    return sum(
        TEXT_BYTES + (len(text) if text.isascii() else 4 * len(text)) for text in some
    )


def options(some: SendOptions) -> SendOptions:
    """A call's options with what can be shown of them."""
    names = (some.configuration_set, some.from_arn, some.feedback_arn, some.tenant)
    if len(some.tags) > MAX_TAGS or sum(map(len, names)) > MAX_TEXT:
        some = some._replace(
            configuration_set=some.configuration_set[:MAX_TEXT],
            from_arn=some.from_arn[:MAX_TEXT],
            feedback_arn=some.feedback_arn[:MAX_TEXT],
            tenant=some.tenant[:MAX_TEXT],
            tags=some.tags[:MAX_TAGS],
        )
    if some.tags and any(len(name) + len(said) > MAX_TEXT for name, said in some.tags):
        cut = tuple((name[:MAX_TEXT], value[:MAX_TEXT]) for name, value in some.tags)
        some = some._replace(tags=cut)
    chosen = some.list_management
    if chosen and len(chosen.contact_list) + len(chosen.topic) > MAX_TEXT:
        chosen = replace(
            chosen,
            contact_list=chosen.contact_list[:MAX_TEXT],
            topic=chosen.topic[:MAX_TEXT],
        )
        some = some._replace(list_management=chosen)
    return some


def choice(some: Choice) -> Choice:
    """A mail's usage and template with what can be shown of them."""
    long = len(some.usage) + len(some.template) + len(some.locale) > MAX_TEXT
    if len(some.variables) > MAX_VARIABLES or long:
        some = replace(
            some,
            usage=some.usage[:MAX_TEXT],
            template=some.template[:MAX_TEXT],
            locale=some.locale[:MAX_TEXT],
            variables=some.variables[:MAX_VARIABLES],
        )
    variables = cut(some.variables)
    return some if variables is some.variables else replace(some, variables=variables)


def slips(some: tuple[Slip, ...]) -> tuple[str, ...]:
    """Their texts, as far as they are kept."""
    return cut(tuple([slip.text for slip in some[:MAX_WARNINGS]])) if some else ()


def cut(some: tuple[str, ...]) -> tuple[str, ...]:
    """Texts, none of them longer; the same where none is."""
    if sum(map(len, some)) <= MAX_TEXT or max(map(len, some)) <= MAX_TEXT:
        return some
    return tuple(text[:MAX_TEXT] for text in some)


def bytes_of_options(some: SendOptions) -> int:
    size = texts(some.configuration_set, some.from_arn, some.feedback_arn, some.tenant)
    size += texts(some.rules_set)
    for tag in some.tags:
        size += TAG_BYTES + texts(*tag)
    if some.list_management is not None:
        size += texts(some.list_management.contact_list, some.list_management.topic)
    return size


def bytes_of_choice(some: Choice) -> int:
    return texts(some.usage, some.template, some.locale, some.rule, *some.variables)


def bytes_of_mail(mail: Mail) -> int:
    """The bytes of a mail without its content."""
    sender, to = mail.envelope.sender, mail.envelope.recipients
    own = MAIL_BYTES + bytes_of_options(mail.options) + bytes_of_choice(mail.choice)
    return own + texts(sender or "", *to)
