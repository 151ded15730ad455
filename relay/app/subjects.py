"""What is shown of a mail's subject, and by what mail without a usage is counted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from relay.content.encoded_words import decoded
from relay.content.header import header_of, normalise, parse
from relay.model.mail import Mail
from relay.model.replies import MAX_HEADER_BYTES
from relay.model.submission import Submission
from relay.rules.shape import address_shape, shape
from relay.templates.catalog import Templates


def subject(mail: Mail) -> str:
    """The subject that a captured mail has."""
    return subject_in(mail.content)


def subject_in(content: bytes) -> str:
    """The decoded subject of a mail's content."""
    found = parse(header_of(content)).first("subject")
    return decoded(found.value)[:500] if found else ""


def by_subject(submission: Submission) -> str:
    """The kind of a mail where contents may be seen."""
    return shape(subject_in(normalise(submission.content[:MAX_HEADER_BYTES])))


def by_sender(submission: Submission) -> str:
    """The kind of a mail where they may not."""
    return _sender_shape(submission.envelope.sender or "<>")


_sender_shape = lru_cache(1000)(address_shape)


def subject_of(templates: Templates, mail: Mail) -> str:
    """The subject with its placeholders still in it: codes stand in subjects, too.

    Of mail without a template nothing is shown; it would be content.
    """
    known = of_templates(templates)
    return known.get((mail.choice.template, mail.choice.locale), "")


@lru_cache(1)  # those in force
def of_templates(templates: Templates) -> Mapping[tuple[str, str], str]:
    return {
        (template.usage, template.locale): template.source.subject[:500]
        for template in templates.all
    }
